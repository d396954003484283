#include "model/model_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/rope_config.h"
#include "model/stored_head.h"
#include "model/unsupported.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/warn_once.h"

namespace softcot {
namespace {

using Json = nlohmann::json;

constexpr auto kInput = ExitCode::kInput;

std::int64_t positive(const Json& json, const char* key, const std::string& where) {
  const auto value = require<std::int64_t>(json, key, where);
  if (value < 1 || value > (std::int64_t{1} << 32)) {
    fail(kInput, {.what = fmt::format("\"{}\" is out of range", key),
                  .where = where,
                  .expected = "a positive size",
                  .got = std::to_string(value)});
  }
  return value;
}

/// Whether the output matrix is the embedding matrix. Both families' default is that it is not.
bool read_tied_head(const Json& json, const std::filesystem::path& folder,
                    const std::string& where) {
  if (!optional(json, "tie_word_embeddings", false, where)) return false;
  if (!stores_another_head(folder)) return true;
  log_warning_once(
      "{}: tie_word_embeddings is true, but the weights hold an {} that differs from the "
      "embedding: the model is taken as not tied, as Transformers 5 does; set "
      "tie_word_embeddings to false",
      where, kHeadName);
  return false;
}

std::vector<std::int64_t> ids_of(const Json& json, const char* key, const std::string& where) {
  if (!json.contains(key) || json.at(key).is_null()) return {};
  const Json& value = json.at(key);
  if (value.is_array()) return require<std::vector<std::int64_t>>(json, key, where);
  return {require<std::int64_t>(json, key, where)};
}

std::vector<std::int64_t> read_stop_tokens(const Json& config, const std::filesystem::path& folder,
                                           const std::string& where) {
  const auto generation = folder / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    const auto ids = ids_of(read_json_file(generation), "eos_token_id", generation.string());
    if (!ids.empty()) return ids;
  }
  return ids_of(config, "eos_token_id", where);
}

void require_built(const Json& json, const ModelConfig& config, const std::string& where) {
  if (config.model_type != "llama" && config.model_type != "qwen2") {
    fail(kInput, {.what = "unknown model architecture",
                  .where = where,
                  .expected = "model_type llama or qwen2",
                  .got = config.model_type,
                  .fix = "use a Llama 3, Qwen2.5 or SmolLM2 model, or see docs/adding-a-model.md"});
  }
  const auto activation = optional<std::string>(json, "hidden_act", "silu", where);
  if (activation != "silu") unsupported(where, "an activation", activation, "silu");
  if (optional(json, "mlp_bias", false, where)) {
    unsupported(where, "feed-forward biases", "mlp_bias true", "false");
  }
  if (config.model_type == "llama" && optional(json, "attention_bias", false, where)) {
    unsupported(where, "an attention output bias", "attention_bias true", "false");
  }
  if (optional(json, "use_sliding_window", false, where)) {
    unsupported(where, "sliding-window attention", "use_sliding_window true", "false");
  }
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    fail(kInput, {.what = "no such model folder",
                  .where = folder.string(),
                  .expected = "a Hugging Face folder with config.json and safetensors files",
                  .fix = "launch/setup.sh makes one for SmolLM2-135M-Instruct"});
  }
  const std::string where = (folder / "config.json").string();
  const Json json = read_json_file(folder / "config.json");

  ModelConfig config;
  config.model_type = require<std::string>(json, "model_type", where);
  require_built(json, config, where);
  config.vocabulary = positive(json, "vocab_size", where);
  config.hidden = positive(json, "hidden_size", where);
  config.feed_forward = positive(json, "intermediate_size", where);
  config.layers = positive(json, "num_hidden_layers", where);
  config.query_heads = positive(json, "num_attention_heads", where);
  config.kv_heads = optional(json, "num_key_value_heads", config.query_heads, where);
  config.head_width = optional(json, "head_dim", config.hidden / config.query_heads, where);
  config.max_positions = positive(json, "max_position_embeddings", where);
  config.norm_epsilon = optional(json, "rms_norm_eps", 1e-6, where);
  config.tied_head = read_tied_head(json, folder, where);
  config.qkv_bias = config.model_type == "qwen2";
  config.rope = read_rope_config(json, where);
  config.stop_tokens = read_stop_tokens(json, folder, where);
  if (config.kv_heads < 1 || config.query_heads % config.kv_heads != 0 || config.head_width < 2 ||
      config.head_width % 2 != 0) {
    fail(kInput, {.what = "head counts contradict each other",
                  .where = where,
                  .expected = "KV heads that divide the query heads, of even width",
                  .got = fmt::format("{} query heads, {} KV heads, width {}", config.query_heads,
                                     config.kv_heads, config.head_width)});
  }
  return config;
}

bool is_read_by_content(const std::filesystem::path& folder) {
  const auto path = folder / "config.json";
  const Json json = read_json_file(path);
  const bool scaled = !optional<Json>(json, "rope_scaling", Json::object(), path.string()).empty();
  const bool tied = optional(json, "tie_word_embeddings", false, path.string());
  return (scaled && json.contains("rope_parameters")) || (tied && stores_another_head(folder));
}

}  // namespace softcot
