#pragma once

#include <ATen/core/Tensor.h>

#include "model/model_config.h"

namespace softcot {

/// Rotary position embedding (Su et al., 2021) in Hugging Face's half-split layout: dimension i of
/// a head is rotated together with dimension i + D/2 by position · frequency_i.
class RotaryEmbedding {
 public:
  RotaryEmbedding(const RopeConfig& config, std::int64_t head_width);

  /// Makes the tables reach `positions` positions on `device`; they grow and never shrink.
  void reserve(std::int64_t positions, at::Device device);

  /// A copy of x [P, heads, D] whose first `rotated` heads are turned by positions [P] (int64),
  /// forwards or, for the gradient, backwards. Without autograd. reserve() must cover every
  /// position.
  at::Tensor rotate(const at::Tensor& x, const at::Tensor& positions, std::int64_t rotated,
                    bool backwards) const;

  /// The same in place: x holds [P, heads, D] float32 on the host, contiguous.
  void rotate_on_host(at::Tensor& x, const at::Tensor& positions, std::int64_t heads,
                      std::int64_t rotated, bool backwards) const;

 private:
  at::Tensor frequencies_;  // [D/2], float64 on the host
  at::Tensor cosine_;       // [positions, D/2], float32
  at::Tensor sine_;
};

/// frequency_i in radians a position, [D/2] float64.
at::Tensor rope_frequencies(const RopeConfig& config, std::int64_t head_width);

}  // namespace softcot
