#pragma once

#include <ATen/core/Tensor.h>

#include "model/model_config.h"

namespace softcot {

/// The rotation of P tokens: x becomes cosine · x + sine · (x with the halves of each head
/// swapped).
struct RotaryTable {
  at::Tensor cosine;  ///< [P, 1, D] float32
  at::Tensor sine;    ///< [P, 1, D] float32, the first half of D negative

  /// x [P, heads, D] turned, in its dtype; computed in float32. Differentiable.
  at::Tensor turn(const at::Tensor& x) const;
};

/// Rotary position embedding (Su et al., 2021) in Hugging Face's half-split layout: dimension i of
/// a head is rotated together with dimension i + D/2 by position · frequency_i.
class RotaryEmbedding {
 public:
  RotaryEmbedding(const RopeConfig& config, std::int64_t head_width);

  /// Makes the tables reach `positions` positions on `device`; they grow and never shrink.
  void reserve(std::int64_t positions, at::Device device);

  /// Turns the first `rotated` heads of x [P, heads, D], float32 on the host and contiguous, in
  /// place by positions [P] (int64), forwards or, for the gradient, backwards. reserve() must cover
  /// every position.
  void rotate_on_host(at::Tensor& x, const at::Tensor& positions, std::int64_t heads,
                      std::int64_t rotated, bool backwards) const;

  /// The same angles for tensors anywhere. reserve() must cover positions [P] (int64).
  RotaryTable table(const at::Tensor& positions) const;

 private:
  at::Tensor frequencies_;  // [D/2], float64 on the host
  at::Tensor cosine_;       // [positions, D/2], float32
  at::Tensor sine_;
};

/// frequency_i in radians a position, [D/2] float64.
at::Tensor rope_frequencies(const RopeConfig& config, std::int64_t head_width);

}  // namespace softcot
