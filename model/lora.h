#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/kv_cache.h"
#include "model/model_config.h"
#include "model/shard_plan.h"

namespace softcot {

/// The matrices of a layer that LoRA may change.
enum class LoraTarget { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown };

/// All of them, in the order of the enumeration.
std::span<const LoraTarget> all_lora_targets();
/// "q_proj", …, "down_proj": the names of Hugging Face and PEFT.
std::string_view lora_target_name(LoraTarget target);
/// "self_attn" or "mlp": the module that holds it.
std::string_view lora_module_name(LoraTarget target);

struct LoraOptions {
  std::int64_t rank = 16;
  double alpha = 32;     ///< The change of a matrix is alpha / rank · B A.
  double dropout = 0.1;  ///< Of the input of A, in training. In [0, 1).
  std::vector<LoraTarget> targets = {LoraTarget::kQuery, LoraTarget::kValue};
};

/// Low-rank changes of a frozen decoder's matrices (Hu et al., 2022): y = W x + alpha / rank · B A
/// dropout(x) with A [rank, inputs] and B [outputs, rank] in float32.
///
/// Every rank holds all of A and B and uses the part that meets its slice of W. So a rank's
/// gradient of them is a share: summed over the tp ranks it is the gradient of the replica.
class Lora {
 public:
  /// A uniform in ±1/√inputs as PEFT draws it, B zero: at first nothing is changed.
  static Lora random(const ModelConfig& config, const LoraOptions& options, std::uint64_t seed);
  /// Copies `tensors`, named as tensors() names them, into float32 autograd leaves. Throws
  /// kCheckpoint for a tensor that is missing, has another shape, or belongs to no target.
  Lora(const ModelConfig& config, const LoraOptions& options,
       const std::map<std::string, at::Tensor>& tensors);

  const LoraOptions& options() const { return options_; }
  double scale() const { return options_.alpha / static_cast<double>(options_.rank); }

  /// Every A and B by its name, "layers.3.q_proj.lora_A", in a fixed order.
  std::vector<std::pair<std::string, at::Tensor>> tensors() const;
  std::int64_t parameters() const;
  /// Makes new leaves of all of them on `device`.
  void to(at::Device device);

  /// y [P, Σ local outputs] + the changes of the matrices `stacked` that made it from x [P, local
  /// inputs], in that order, as the rank of `plan` holds them. Under autograd the input is dropped
  /// out by a mask that depends on each row's noise key, token and feature alone. Local.
  at::Tensor add(const at::Tensor& y, const at::Tensor& x, std::int64_t layer,
                 std::span<const LoraTarget> stacked, const ShardPlan& plan,
                 const std::vector<PackedRow>& rows) const;

  /// Local outputs of a matrix.
  static std::int64_t outputs(LoraTarget target, const ShardPlan& plan);
  /// alpha / rank · B A of one matrix, this rank's part [local outputs, local inputs]; undefined
  /// when it is no target.
  at::Tensor change(std::int64_t layer, LoraTarget target, const ShardPlan& plan) const;

 private:
  struct Pair {
    at::Tensor a;  // [rank, inputs]
    at::Tensor b;  // [outputs, rank]
  };
  Lora(const ModelConfig& config, const LoraOptions& options);
  const Pair* find(std::int64_t layer, LoraTarget target) const;

  LoraOptions options_;
  std::vector<std::map<LoraTarget, Pair>> layers_;
};

}  // namespace softcot
