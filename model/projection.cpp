#include "model/projection.h"

#include <ATen/Functions.h>
#include <cmath>

#include "runtime/random.h"
#include "runtime/to_device.h"

namespace softcot {

Projection Projection::random(std::int64_t assistant_width, std::int64_t backbone_width,
                              std::uint64_t seed) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(assistant_width));
  RandomStream stream(seed, RandomPurpose::kInitialWeights);
  const auto uniform = [&](at::IntArrayRef shape) {
    auto tensor = at::empty(shape, at::kFloat);
    auto* out = tensor.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      out[i] = static_cast<float>((2.0 * stream.uniform() - 1.0) * bound);
    }
    return tensor;
  };
  const auto weight = uniform({backbone_width, assistant_width});
  const auto bias = uniform({backbone_width});
  return {weight, bias};
}

Projection::Projection(const at::Tensor& weight, const at::Tensor& bias)
    : weight_(weight.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous()),
      bias_(bias.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous()) {
  weight_.set_requires_grad(true);
  bias_.set_requires_grad(true);
}

at::Tensor Projection::forward(const at::Tensor& thoughts) const {
  return at::linear(to_device(thoughts, weight_.device()), weight_, bias_);
}

}  // namespace softcot
