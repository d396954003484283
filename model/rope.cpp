#include "model/rope.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/cpu_kernels.h"

namespace softcot {

at::Tensor rope_frequencies(const RopeConfig& config, std::int64_t head_width) {
  auto frequencies = at::empty({head_width / 2}, at::kDouble);
  auto* out = frequencies.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < head_width / 2; ++i) {
    const double plain =
        std::pow(config.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_width));
    out[i] = plain;
    if (config.kind == RopeConfig::Kind::kDefault) continue;
    // Llama 3.1: long wavelengths are stretched, short ones kept, those between blended linearly in
    // original_positions / wavelength.
    const double turns = config.original_positions * plain / (2.0 * std::numbers::pi);
    const double blend = (turns - config.low_frequency_factor) /
                         (config.high_frequency_factor - config.low_frequency_factor);
    const double kept = std::clamp(blend, 0.0, 1.0);
    out[i] = plain * (kept + (1.0 - kept) / config.factor);
  }
  return frequencies;
}

RotaryEmbedding::RotaryEmbedding(const RopeConfig& config, std::int64_t head_width)
    : frequencies_(rope_frequencies(config, head_width)) {}

void RotaryEmbedding::reserve(std::int64_t positions, at::Device device) {
  if (cosine_.defined() && cosine_.size(0) >= positions && cosine_.device() == device) return;
  const std::int64_t size = std::max<std::int64_t>(1024, 2 * positions);
  const auto angles = at::outer(at::arange(size, at::kDouble), frequencies_);
  cosine_ = angles.cos().to(at::kFloat).to(device);
  sine_ = angles.sin().to(at::kFloat).to(device);
}

void RotaryEmbedding::rotate_on_host(at::Tensor& x, const at::Tensor& positions, std::int64_t heads,
                                     std::int64_t rotated, bool backwards) const {
  if (x.numel() == 0) return;
  cpu::rotate(x.mutable_data_ptr<float>(), positions.const_data_ptr<std::int64_t>(),
              cosine_.const_data_ptr<float>(), sine_.const_data_ptr<float>(), positions.size(0),
              heads, rotated, x.numel() / positions.size(0) / heads, backwards ? -1.0F : 1.0F);
}

RotaryTable RotaryEmbedding::table(const at::Tensor& positions) const {
  const auto cosine = cosine_.index_select(0, positions).unsqueeze(1);
  const auto sine = sine_.index_select(0, positions).unsqueeze(1);
  return {at::cat({cosine, cosine}, -1), at::cat({-sine, sine}, -1)};
}

at::Tensor RotaryTable::turn(const at::Tensor& x) const {
  const auto swapped = x.roll({x.size(-1) / 2}, {-1});
  return at::addcmul(x * cosine, swapped, sine).to(x.scalar_type());
}

}  // namespace softcot
