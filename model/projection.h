#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace softcot {

/// The one trained part of SoftCoT: a linear map from the assistant's width A to the backbone's H,
/// with float32 master weights whatever the backbone's dtype. The same on every rank.
class Projection {
 public:
  /// Uniform in ±1/√A from the random stream of `seed`: the same numbers on every rank and machine.
  static Projection random(std::int64_t assistant_width, std::int64_t backbone_width,
                           std::uint64_t seed);
  /// Copies weight [H, A] and bias [H]; the copies are float32 autograd leaves.
  Projection(const at::Tensor& weight, const at::Tensor& bias);

  /// thoughts [K, A] float32 → [K, H] float32, differentiable in weight and bias.
  at::Tensor forward(const at::Tensor& thoughts) const;

  at::Tensor& weight() { return weight_; }
  at::Tensor& bias() { return bias_; }
  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }
  std::int64_t assistant_width() const { return weight_.size(1); }
  std::int64_t backbone_width() const { return weight_.size(0); }
  std::int64_t parameters() const { return weight_.numel() + bias_.numel(); }

 private:
  at::Tensor weight_;
  at::Tensor bias_;
};

}  // namespace softcot
