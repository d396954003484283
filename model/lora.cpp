#include "model/lora.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/dropout.h"
#include "runtime/error.h"
#include "runtime/random.h"

namespace softcot {
namespace {

struct TargetTraits {
  LoraTarget target;
  std::string_view name;
  std::string_view module;
  Dim outputs;
  Dim inputs;
};

constexpr std::array kTraits = {
    TargetTraits{LoraTarget::kQuery, "q_proj", "self_attn", Dim::kQuery, Dim::kHidden},
    TargetTraits{LoraTarget::kKey, "k_proj", "self_attn", Dim::kKeyValue, Dim::kHidden},
    TargetTraits{LoraTarget::kValue, "v_proj", "self_attn", Dim::kKeyValue, Dim::kHidden},
    TargetTraits{LoraTarget::kOutput, "o_proj", "self_attn", Dim::kHidden, Dim::kQuery},
    TargetTraits{LoraTarget::kGate, "gate_proj", "mlp", Dim::kFeedForward, Dim::kHidden},
    TargetTraits{LoraTarget::kUp, "up_proj", "mlp", Dim::kFeedForward, Dim::kHidden},
    TargetTraits{LoraTarget::kDown, "down_proj", "mlp", Dim::kHidden, Dim::kFeedForward},
};

const TargetTraits& traits(LoraTarget target) { return kTraits[static_cast<std::size_t>(target)]; }

std::string tensor_name(std::int64_t layer, LoraTarget target, char factor) {
  return fmt::format("layers.{}.{}.lora_{}", layer, traits(target).name, factor);
}

at::Tensor leaf(const at::Tensor& tensor) {
  auto copy = tensor.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  return copy.set_requires_grad(true);
}

/// tensors[name] in the shape wanted, counted in `used`.
at::Tensor take(const std::map<std::string, at::Tensor>& tensors, const std::string& name,
                at::IntArrayRef shape, std::size_t& used) {
  const auto found = tensors.find(name);
  const std::string expected = fmt::format("[{}, {}]", shape[0], shape[1]);
  if (found == tensors.end()) {
    fail(ExitCode::kCheckpoint, {.what = "LoRA adapter lacks a tensor",
                                 .where = name,
                                 .expected = expected,
                                 .got = "nothing"});
  }
  if (found->second.sizes() != shape) {
    std::string got = "[";
    for (const auto size : found->second.sizes())
      got += fmt::format("{}{}", got.size() > 1 ? ", " : "", size);
    fail(ExitCode::kCheckpoint, {.what = "LoRA adapter belongs to another model or rank",
                                 .where = name,
                                 .expected = expected,
                                 .got = got + "]"});
  }
  ++used;
  return leaf(found->second);
}

}  // namespace

std::span<const LoraTarget> all_lora_targets() {
  static const auto targets = [] {
    std::array<LoraTarget, kTraits.size()> all{};
    std::transform(kTraits.begin(), kTraits.end(), all.begin(), [](auto& t) { return t.target; });
    return all;
  }();
  return targets;
}

std::string_view lora_target_name(LoraTarget target) { return traits(target).name; }
std::string_view lora_module_name(LoraTarget target) { return traits(target).module; }

Lora::Lora(const ModelConfig& config, const LoraOptions& options)
    : options_(options), layers_(static_cast<std::size_t>(config.layers)) {}

Lora Lora::random(const ModelConfig& config, const LoraOptions& options, std::uint64_t seed) {
  const ShardPlan whole(config, 0, 1);
  Lora lora(config, options);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    for (const LoraTarget target : options.targets) {
      const std::int64_t inputs = whole.full(traits(target).inputs);
      const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
      RandomStream stream(
          seed, RandomPurpose::kInitialWeights,
          {static_cast<std::uint64_t>(layer) + 1, static_cast<std::uint64_t>(target)});
      auto a = at::empty({options.rank, inputs}, at::kFloat);
      auto* out = a.mutable_data_ptr<float>();
      for (std::int64_t i = 0; i < a.numel(); ++i) {
        out[i] = static_cast<float>((2.0 * stream.uniform() - 1.0) * bound);
      }
      const auto b = at::zeros({whole.full(traits(target).outputs), options.rank}, at::kFloat);
      lora.layers_[static_cast<std::size_t>(layer)][target] = {leaf(a), leaf(b)};
    }
  }
  return lora;
}

Lora::Lora(const ModelConfig& config, const LoraOptions& options,
           const std::map<std::string, at::Tensor>& tensors)
    : Lora(config, options) {
  const ShardPlan whole(config, 0, 1);
  std::size_t used = 0;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    for (const LoraTarget target : options.targets) {
      const std::int64_t inputs = whole.full(traits(target).inputs);
      const std::int64_t outputs = whole.full(traits(target).outputs);
      layers_[static_cast<std::size_t>(layer)][target] = {
          take(tensors, tensor_name(layer, target, 'A'), {options.rank, inputs}, used),
          take(tensors, tensor_name(layer, target, 'B'), {outputs, options.rank}, used)};
    }
  }
  if (used != tensors.size()) {
    fail(ExitCode::kCheckpoint, {.what = "LoRA adapter holds tensors of no target",
                                 .expected = fmt::format("{} tensors", used),
                                 .got = fmt::format("{}", tensors.size())});
  }
}

std::vector<std::pair<std::string, at::Tensor>> Lora::tensors() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    for (const auto& [target, pair] : layers_[layer]) {
      const auto number = static_cast<std::int64_t>(layer);
      all.emplace_back(tensor_name(number, target, 'A'), pair.a);
      all.emplace_back(tensor_name(number, target, 'B'), pair.b);
    }
  }
  return all;
}

std::int64_t Lora::parameters() const {
  std::int64_t total = 0;
  for (const auto& [name, tensor] : tensors()) total += tensor.numel();
  return total;
}

void Lora::to(at::Device device) {
  for (auto& pairs : layers_) {
    for (auto& [target, pair] : pairs) pair = {leaf(pair.a.to(device)), leaf(pair.b.to(device))};
  }
}

const Lora::Pair* Lora::find(std::int64_t layer, LoraTarget target) const {
  const auto& pairs = layers_[static_cast<std::size_t>(layer)];
  const auto found = pairs.find(target);
  return found == pairs.end() ? nullptr : &found->second;
}

at::Tensor Lora::add(const at::Tensor& y, const at::Tensor& x, std::int64_t layer,
                     std::span<const LoraTarget> stacked, const ShardPlan& plan,
                     const std::vector<PackedRow>& rows) const {
  std::vector<at::Tensor> parts;
  bool any = false;
  for (const LoraTarget target : stacked) {
    const Slice outputs = plan.range(traits(target).outputs);
    const Pair* pair = find(layer, target);
    if (pair == nullptr) {
      parts.push_back(at::zeros({y.size(0), outputs.size()}, y.options()));
      continue;
    }
    any = true;
    const Slice inputs = plan.range(traits(target).inputs);
    auto read = x;
    if (options_.dropout > 0 && at::GradMode::is_enabled()) {
      const auto site =
          static_cast<std::uint64_t>(layer) * kTraits.size() + static_cast<std::uint64_t>(target);
      read =
          x * dropout_mask(rows, site, inputs, pair->a.size(1), options_.dropout).to(x.options());
    }
    const auto a = pair->a.narrow(1, inputs.begin, inputs.size()).to(x.options());
    const auto b = pair->b.narrow(0, outputs.begin, outputs.size()).to(x.options());
    parts.push_back(at::matmul(at::matmul(read, a.t()), b.t()) * scale());
  }
  if (!any) return y;
  return y + (parts.size() == 1 ? parts[0] : at::cat(parts, 1));
}

std::int64_t Lora::outputs(LoraTarget target, const ShardPlan& plan) {
  return plan.range(traits(target).outputs).size();
}

at::Tensor Lora::change(std::int64_t layer, LoraTarget target, const ShardPlan& plan) const {
  const Pair* pair = find(layer, target);
  if (pair == nullptr) return {};
  const at::NoGradGuard no_grad;
  const Slice outputs = plan.range(traits(target).outputs);
  const Slice inputs = plan.range(traits(target).inputs);
  return at::matmul(pair->b.narrow(0, outputs.begin, outputs.size()),
                    pair->a.narrow(1, inputs.begin, inputs.size())) *
         scale();
}

}  // namespace softcot
