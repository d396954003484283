#include "model/known_models.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>

namespace softcot {
namespace {

constexpr double kPlain = 0;  // No frequency scaling.

/// Sizes in the order of config.json's words: vocab_size, hidden_size, intermediate_size,
/// num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim,
/// max_position_embeddings, rms_norm_eps, tie_word_embeddings, rope_theta, rope_scaling.factor.
struct Row {
  const char* name;
  const char* type;
  std::int64_t vocabulary, hidden, feed_forward, layers, query_heads, kv_heads, head_width,
      positions;
  double epsilon;
  bool tied;
  double theta, scaling;
};

constexpr Row kRows[] = {
    {"SmolLM2-135M", "llama", 49152, 576, 1536, 30, 9, 3, 64, 8192, 1e-5, true, 1e5, kPlain},
    {"SmolLM2-360M", "llama", 49152, 960, 2560, 32, 15, 5, 64, 8192, 1e-5, true, 1e5, kPlain},
    {"SmolLM2-1.7B", "llama", 49152, 2048, 8192, 24, 32, 32, 64, 8192, 1e-5, true, 1.3e5, kPlain},
    {"Llama-3.2-1B", "llama", 128256, 2048, 8192, 16, 32, 8, 64, 131072, 1e-5, true, 5e5, 32},
    {"Llama-3.2-3B", "llama", 128256, 3072, 8192, 28, 24, 8, 128, 131072, 1e-5, true, 5e5, 32},
    {"Llama-3.1-8B", "llama", 128256, 4096, 14336, 32, 32, 8, 128, 131072, 1e-5, false, 5e5, 8},
    {"Llama-3.1-70B", "llama", 128256, 8192, 28672, 80, 64, 8, 128, 131072, 1e-5, false, 5e5, 8},
    {"Qwen2.5-0.5B", "qwen2", 151936, 896, 4864, 24, 14, 2, 64, 32768, 1e-6, true, 1e6, kPlain},
    {"Qwen2.5-1.5B", "qwen2", 151936, 1536, 8960, 28, 12, 2, 128, 32768, 1e-6, true, 1e6, kPlain},
    {"Qwen2.5-3B", "qwen2", 151936, 2048, 11008, 36, 16, 2, 128, 32768, 1e-6, true, 1e6, kPlain},
    {"Qwen2.5-7B", "qwen2", 152064, 3584, 18944, 28, 28, 4, 128, 32768, 1e-6, false, 1e6, kPlain},
    {"Qwen2.5-14B", "qwen2", 152064, 5120, 13824, 48, 40, 8, 128, 32768, 1e-6, false, 1e6, kPlain},
    {"Qwen2.5-32B", "qwen2", 152064, 5120, 27648, 64, 40, 8, 128, 32768, 1e-6, false, 1e6, kPlain},
    {"Qwen2.5-72B", "qwen2", 152064, 8192, 29568, 80, 64, 8, 128, 32768, 1e-6, false, 1e6, kPlain},
};

KnownModel known_model(const Row& row) {
  ModelConfig config;
  config.model_type = row.type;
  config.vocabulary = row.vocabulary;
  config.hidden = row.hidden;
  config.feed_forward = row.feed_forward;
  config.layers = row.layers;
  config.query_heads = row.query_heads;
  config.kv_heads = row.kv_heads;
  config.head_width = row.head_width;
  config.max_positions = row.positions;
  config.norm_epsilon = row.epsilon;
  config.tied_head = row.tied;
  config.qkv_bias = config.model_type == "qwen2";
  config.rope.theta = row.theta;
  if (row.scaling != kPlain) {
    config.rope.kind = RopeConfig::Kind::kLlama3;
    config.rope.factor = row.scaling;
  }
  return {row.name, config};
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

const std::vector<KnownModel>& known_models() {
  static const std::vector<KnownModel> all = [] {
    std::vector<KnownModel> models;
    for (const Row& row : kRows) models.push_back(known_model(row));
    return models;
  }();
  return all;
}

std::optional<KnownModel> find_known_model(const std::string& name) {
  const std::string ending = "-instruct";
  std::string wanted = name.substr(0, name.find_last_not_of('/') + 1);
  wanted = lower(std::filesystem::path(wanted).filename());
  if (wanted.ends_with(ending)) wanted.resize(wanted.size() - ending.size());
  for (const KnownModel& model : known_models()) {
    if (lower(model.name) == wanted) return model;
  }
  return std::nullopt;
}

}  // namespace softcot
