#include <ATen/core/grad_mode.h>

// The weights of a decoder one by one: as autograd leaves, back from a checkpoint, hashed.
#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "model/trainable.h"
#include "model/transformer.h"
#include "model/weights.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

/// The leaf that shares the memory of a part of the model's weights.
at::Tensor leaf_of(const at::Tensor& part) { return part.detach().set_requires_grad(true); }

Parameter describe(const WeightRule& rule, const ShardPlan& plan, std::string name,
                   const at::Tensor& leaf) {
  Parameter parameter{.name = std::move(name), .value = leaf};
  if (rule.cut == Cut::kNone) return parameter;
  const Dim cut = rule.cut == Cut::kRows ? rule.rows : rule.columns;
  parameter.tp = TpGradient::kOwn;
  parameter.dim = rule.cut == Cut::kRows ? 0 : 1;
  parameter.part = plan.range(cut);
  parameter.full = plan.full(cut);
  return parameter;
}

}  // namespace

/// `part` is this rank's slice, where it lies: stacked matrices share one tensor.
void Transformer::for_each_weight(
    const std::function<void(const WeightRule& rule, const std::string& name, at::Tensor part)>&
        visit) const {
  const auto rows_of = [&](Dim dim) { return plan_.range(dim).size(); };
  const std::int64_t q = rows_of(Dim::kQuery);
  const std::int64_t kv = rows_of(Dim::kKeyValue);
  const std::int64_t f = rows_of(Dim::kFeedForward);
  const auto part_of = [&](const std::string& rule, const DecoderLayer* layer) -> at::Tensor {
    const auto is = [&](const char* ending) { return rule.ends_with(ending); };
    if (is("embed_tokens.weight")) return embedding_;
    if (is("model.norm.weight")) return final_norm_;
    if (is("lm_head.weight")) return head_;
    if (is("input_layernorm.weight")) return layer->attention_norm;
    if (is("post_attention_layernorm.weight")) return layer->feed_forward_norm;
    if (is("q_proj.weight")) return layer->qkv.weight.narrow(0, 0, q);
    if (is("k_proj.weight")) return layer->qkv.weight.narrow(0, q, kv);
    if (is("v_proj.weight")) return layer->qkv.weight.narrow(0, q + kv, kv);
    if (is("q_proj.bias")) return layer->qkv.bias.narrow(0, 0, q);
    if (is("k_proj.bias")) return layer->qkv.bias.narrow(0, q, kv);
    if (is("v_proj.bias")) return layer->qkv.bias.narrow(0, q + kv, kv);
    if (is("o_proj.weight")) return layer->attention_out.weight;
    if (is("gate_proj.weight")) return layer->gate_up.weight.narrow(0, 0, f);
    if (is("up_proj.weight")) return layer->gate_up.weight.narrow(0, f, f);
    if (is("down_proj.weight")) return layer->down.weight;
    fail(ExitCode::kInternal, {.what = "no place for weight", .where = rule});
  };
  for (const WeightRule& rule : weight_rules(config_)) {
    const std::string pattern = rule.name;
    if (pattern.find("{}") == std::string::npos) {
      visit(rule, pattern, part_of(pattern, nullptr));
      continue;
    }
    for (std::int64_t i = 0; i < layers(); ++i) {
      visit(rule, weight_name(pattern, i), part_of(pattern, &layers_[i]));
    }
  }
}

void require_trainable(const ModelConfig& config, at::ScalarType dtype, int tp) {
  if (dtype != at::kFloat) {
    fail(ExitCode::kUsage, {.what = "full fine-tuning needs float32 weights",
                            .where = "model.dtype",
                            .expected = "float32",
                            .got = "bfloat16",
                            .fix = "give --dtype float32"});
  }
  if (ShardPlan(config, 0, tp).kv_heads() * tp != config.kv_heads) {
    fail(ExitCode::kUsage, {.what = "full fine-tuning cannot share a KV head among ranks",
                            .where = "parallel.tp",
                            .expected = "a divisor of " + std::to_string(config.kv_heads),
                            .got = std::to_string(tp)});
  }
}

void Transformer::train_weights() {
  require_trainable(config_, dtype_, tp_.size());
  std::map<std::string, at::Tensor> leaves;
  trained_.clear();
  for_each_weight([&](const WeightRule& rule, const std::string& name, const at::Tensor& part) {
    leaves[name] = leaf_of(part);
    trained_.push_back(describe(rule, plan_, name, leaves[name]));
  });
  const auto leaf = [&](const std::string& pattern, std::int64_t layer) {
    const auto found = leaves.find(weight_name(pattern, layer));
    return found == leaves.end() ? at::Tensor() : found->second;
  };
  embedding_ = leaves.at("model.embed_tokens.weight");
  head_ = config_.tied_head ? embedding_ : leaves.at("lm_head.weight");
  final_norm_ = leaves.at("model.norm.weight");
  for (std::int64_t i = 0; i < layers(); ++i) {
    DecoderLayer& layer = layers_[i];
    layer.attention_norm = leaf("model.layers.{}.input_layernorm.weight", i);
    layer.feed_forward_norm = leaf("model.layers.{}.post_attention_layernorm.weight", i);
    const auto stack = [&](LinearWeights& matrix, const std::string& module,
                           std::initializer_list<const char*> names) {
      matrix.leaves.clear();
      for (const std::string name : names) {
        matrix.leaves.push_back({leaf("model.layers.{}." + module + name + ".weight", i),
                                 leaf("model.layers.{}." + module + name + ".bias", i)});
      }
    };
    stack(layer.qkv, "self_attn.", {"q_proj", "k_proj", "v_proj"});
    stack(layer.attention_out, "self_attn.", {"o_proj"});
    stack(layer.gate_up, "mlp.", {"gate_proj", "up_proj"});
    stack(layer.down, "mlp.", {"down_proj"});
  }
}

std::string Transformer::content_hash() const {
  Hasher hasher;
  for_each_weight([&](const WeightRule&, const std::string& name, const at::Tensor& part) {
    hasher.add(name);
    const auto host = part.cpu().contiguous();
    hasher.add(std::span(static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()));
  });
  return hasher.hex();
}

void Transformer::load_weights(
    const std::function<at::Tensor(const std::string& name, at::IntArrayRef shape)>& whole) {
  const at::NoGradGuard no_grad;
  for_each_weight([&](const WeightRule& rule, const std::string& name, at::Tensor part) {
    std::vector<std::int64_t> shape = {plan_.full(rule.rows)};
    if (rule.columns != Dim::kOne) shape.push_back(plan_.full(rule.columns));
    auto tensor = whole(name, shape);
    if (rule.cut != Cut::kNone) {
      const bool rows = rule.cut == Cut::kRows;
      const Slice slice = plan_.range(rows ? rule.rows : rule.columns);
      tensor = tensor.narrow(rows ? 0 : 1, slice.begin, slice.size());
    }
    part.copy_(tensor);
  });
}

}  // namespace softcot
