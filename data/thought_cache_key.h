#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace softcot {

/// Whether the assistant's prompt names the number of thoughts. On disk: "counted", "uncounted".
enum class PromptMode {
  kCounted,    ///< "generate N tokens": a cache serves this N only.
  kUncounted,  ///< N is not in the text: by causality the first n thoughts are those of a cache for
               ///< n.
};

/// Element type of the stored states. On disk: "float32", "bfloat16".
enum class ThoughtType { kFloat32, kBfloat16 };

/// Raised with every change of the files' layout or meaning.
inline constexpr std::int64_t kThoughtCacheVersion = 1;

/// All that the content of a thought cache depends on; two caches with equal keys are
/// interchangeable. Hashes are lower-case hex of the owner's choice, compared as text.
struct ThoughtCacheKey {
  std::string assistant_hash;  ///< Of the assistant's config and weight files.
  std::int64_t assistant_layers =
      0;  ///< Layers run, ≥ 1: fewer than the model has for a cut assistant.
  ThoughtType assistant_type = ThoughtType::kFloat32;  ///< Of the weights it ran with.
  std::string tokenizer_hash;
  std::string prompt_hash;    ///< Of the prompt text, the chat format and the special tokens.
  std::int64_t thoughts = 0;  ///< N ≥ 1.
  PromptMode prompt_mode = PromptMode::kCounted;
  ThoughtType stored_type = ThoughtType::kFloat32;
  std::string dataset_hash;  ///< Of the records in their order.
  std::string task;          ///< Name of the benchmark and split, for people.
  std::int64_t rows = 0;     ///< R ≥ 1.
  std::int64_t width = 0;    ///< A ≥ 1.
  std::int64_t format_version = kThoughtCacheVersion;

  bool operator==(const ThoughtCacheKey&) const = default;
};

using ThoughtCacheField = std::variant<std::int64_t, std::string>;
using ThoughtCacheFields = std::vector<std::pair<std::string, ThoughtCacheField>>;

/// Every field by its name on disk, in the order of the struct.
ThoughtCacheFields to_attributes(const ThoughtCacheKey& key);

/// The inverse, fields in any order, others ignored. Throws kCache naming `where` (a file) and the
/// field that is absent, of the wrong kind, or of an unknown value; a newer format version is named
/// first.
ThoughtCacheKey key_from_attributes(const ThoughtCacheFields& fields, const std::string& where);

/// 12 hex digits over all fields.
std::string short_hash(const ThoughtCacheKey& key);
/// "thoughts-N32-0123456789ab": where the cache lies inside the user's cache folder.
std::string folder_name(const ThoughtCacheKey& key);

struct KeyDifference {
  std::string field;
  std::string expected;
  std::string got;
};

/// The first field (in the order of the struct, the version first) that differs; nothing if equal.
std::optional<KeyDifference> first_difference(const ThoughtCacheKey& expected,
                                              const ThoughtCacheKey& got);

/// Throws kCache "thought cache is stale" for the first difference.
void require_same_key(const ThoughtCacheKey& expected, const ThoughtCacheKey& got,
                      const std::string& where);

}  // namespace softcot
