#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace softcot {

/// Rotary position embedding: plain, or with Llama 3's frequency scaling.
struct RopeConfig {
  enum class Kind { kDefault, kLlama3 };
  Kind kind = Kind::kDefault;
  double theta = 10000.0;
  // kLlama3 only: wavelengths longer than original_positions / low_frequency_factor are stretched
  // by `factor`, those shorter than original_positions / high_frequency_factor are kept.
  double factor = 1.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  double original_positions = 8192.0;
};

/// What a Hugging Face `config.json` says of a decoder of the Llama or Qwen2 architecture.
struct ModelConfig {
  std::string model_type;         ///< "llama" or "qwen2".
  std::int64_t vocabulary = 0;    ///< V
  std::int64_t hidden = 0;        ///< H (A for an assistant)
  std::int64_t feed_forward = 0;  ///< F
  std::int64_t layers = 0;        ///< L
  std::int64_t query_heads = 0;
  std::int64_t kv_heads = 0;    ///< Divides query_heads.
  std::int64_t head_width = 0;  ///< D
  std::int64_t max_positions = 0;
  double norm_epsilon = 1e-6;
  bool tied_head = false;  ///< By config.json, and no other head is stored.
  bool qkv_bias = false;
  RopeConfig rope;
  std::vector<std::int64_t>
      stop_tokens;  ///< eos_token_id, of generation_config.json if it is there.
};

/// Reads `folder`/config.json. Of a tied head it looks into the weights, and warns once where they
/// hold another. Throws kInput for a missing folder, an unknown architecture, a feature that would
/// change the numbers and is not built (sliding windows, other activations, o_proj bias, other RoPE
/// settings), sizes that contradict each other, or weights of a tied model that cannot be opened.
ModelConfig read_model_config(const std::filesystem::path& folder);

/// Whether softcot 0.1 read this folder otherwise, by which keys config.json has and not by what
/// they state: RoPE settings beside an empty or plain `rope_parameters`, or a head in the weights
/// of a model that config.json ties. Throws as read_model_config.
bool is_read_by_content(const std::filesystem::path& folder);

}  // namespace softcot
