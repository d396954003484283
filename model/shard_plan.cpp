#include "model/shard_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "runtime/error.h"

namespace softcot {

std::vector<WeightRule> weight_rules(const ModelConfig& config) {
  std::vector<WeightRule> rules = {
      {"model.embed_tokens.weight", Dim::kVocabulary, Dim::kHidden, Cut::kRows},
      {"model.norm.weight", Dim::kHidden, Dim::kOne, Cut::kNone},
      {"model.layers.{}.input_layernorm.weight", Dim::kHidden, Dim::kOne, Cut::kNone},
      {"model.layers.{}.self_attn.q_proj.weight", Dim::kQuery, Dim::kHidden, Cut::kRows},
      {"model.layers.{}.self_attn.k_proj.weight", Dim::kKeyValue, Dim::kHidden, Cut::kRows},
      {"model.layers.{}.self_attn.v_proj.weight", Dim::kKeyValue, Dim::kHidden, Cut::kRows},
      {"model.layers.{}.self_attn.o_proj.weight", Dim::kHidden, Dim::kQuery, Cut::kColumns},
      {"model.layers.{}.post_attention_layernorm.weight", Dim::kHidden, Dim::kOne, Cut::kNone},
      {"model.layers.{}.mlp.gate_proj.weight", Dim::kFeedForward, Dim::kHidden, Cut::kRows},
      {"model.layers.{}.mlp.up_proj.weight", Dim::kFeedForward, Dim::kHidden, Cut::kRows},
      {"model.layers.{}.mlp.down_proj.weight", Dim::kHidden, Dim::kFeedForward, Cut::kColumns},
  };
  if (!config.tied_head) {
    rules.push_back({"lm_head.weight", Dim::kVocabulary, Dim::kHidden, Cut::kRows});
  }
  if (config.qkv_bias) {
    rules.push_back({"model.layers.{}.self_attn.q_proj.bias", Dim::kQuery, Dim::kOne, Cut::kRows});
    rules.push_back(
        {"model.layers.{}.self_attn.k_proj.bias", Dim::kKeyValue, Dim::kOne, Cut::kRows});
    rules.push_back(
        {"model.layers.{}.self_attn.v_proj.bias", Dim::kKeyValue, Dim::kOne, Cut::kRows});
  }
  return rules;
}

Slice even_part(std::int64_t size, int index, int parts) {
  const std::int64_t base = size / parts;
  const std::int64_t larger = size % parts;
  const std::int64_t begin = index * base + std::min<std::int64_t>(index, larger);
  return {begin, begin + base + (index < larger ? 1 : 0)};
}

std::vector<int> legal_tp_sizes(const ModelConfig& config) {
  std::vector<int> sizes;
  for (int tp = 1; tp <= config.query_heads; ++tp) {
    if (config.query_heads % tp == 0) sizes.push_back(tp);
  }
  return sizes;
}

ShardPlan::ShardPlan(const ModelConfig& config, int tp_index, int tp_size) : config_(config) {
  if (tp_size < 1 || config.query_heads % tp_size != 0) {
    fail(ExitCode::kUsage, {.what = "tensor-parallel size does not divide the model's query heads",
                            .where = "parallel.tp",
                            .expected = fmt::format("one of {} ({} query heads, {} KV heads)",
                                                    fmt::join(legal_tp_sizes(config), ", "),
                                                    config.query_heads, config.kv_heads),
                            .got = std::to_string(tp_size),
                            .fix = "choose a listed size and start a multiple of it as ranks"});
  }
  queries_ = even_part(config.query_heads, tp_index, tp_size);
  const std::int64_t group = config.query_heads / config.kv_heads;
  kvs_ = {queries_.begin / group, (queries_.end - 1) / group + 1};
  for (std::int64_t q = queries_.begin; q < queries_.end; ++q) {
    kv_of_query_.push_back(q / group - kvs_.begin);
  }
  feed_forward_ = even_part(config.feed_forward, tp_index, tp_size);
  vocabulary_ = even_part(config.vocabulary, tp_index, tp_size);
}

Slice ShardPlan::range(Dim dim) const {
  const std::int64_t d = config_.head_width;
  switch (dim) {
    case Dim::kOne:
      return {0, 1};
    case Dim::kVocabulary:
      return vocabulary_;
    case Dim::kHidden:
      return {0, config_.hidden};
    case Dim::kQuery:
      return {queries_.begin * d, queries_.end * d};
    case Dim::kKeyValue:
      return {kvs_.begin * d, kvs_.end * d};
    case Dim::kFeedForward:
      return feed_forward_;
  }
  fail(ExitCode::kInternal, {.what = "unknown dimension"});
}

std::int64_t ShardPlan::full(Dim dim) const {
  switch (dim) {
    case Dim::kOne:
      return 1;
    case Dim::kVocabulary:
      return config_.vocabulary;
    case Dim::kHidden:
      return config_.hidden;
    case Dim::kQuery:
      return config_.query_heads * config_.head_width;
    case Dim::kKeyValue:
      return config_.kv_heads * config_.head_width;
    case Dim::kFeedForward:
      return config_.feed_forward;
  }
  fail(ExitCode::kInternal, {.what = "unknown dimension"});
}

std::int64_t parameter_count(const ModelConfig& config) {
  const ShardPlan plan(config, 0, 1);
  std::int64_t total = 0;
  for (const auto& rule : weight_rules(config)) {
    const bool in_layer = std::string(rule.name).find("{}") != std::string::npos;
    total += plan.full(rule.rows) * plan.full(rule.columns) * (in_layer ? config.layers : 1);
  }
  return total;
}

}  // namespace softcot
