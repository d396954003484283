#include "data/thought_cache_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

constexpr const char* kVersionField = "format_version";
constexpr std::array kPromptModes = {"counted", "uncounted"};
constexpr std::array kTypes = {"float32", "bfloat16"};

std::string text_of(const ThoughtCacheField& field) {
  if (const auto* number = std::get_if<std::int64_t>(&field)) return std::to_string(*number);
  return std::get<std::string>(field);
}

std::string shown(const std::string& value) { return value.empty() ? "nothing" : value; }

/// Typed look-ups in the fields of one file.
class Fields {
 public:
  Fields(const ThoughtCacheFields& fields, const std::string& where)
      : fields_(fields), where_(where) {}

  template <typename T>
  T get(const std::string& name) const {
    const auto found = std::find_if(fields_.begin(), fields_.end(),
                                    [&](const auto& field) { return field.first == name; });
    if (found == fields_.end()) fail_field("thought cache lacks a key field", name, "");
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) fail_field("unusable key field", name, text_of(found->second));
    return *value;
  }

  template <typename Enum, std::size_t size>
  Enum get_enum(const std::string& name, const std::array<const char*, size>& names) const {
    const std::string text = get<std::string>(name);
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) fail_field("unusable key field", name, text);
    return static_cast<Enum>(found - names.begin());
  }

 private:
  [[noreturn]] void fail_field(const char* what, const std::string& name,
                               const std::string& got) const {
    fail(ExitCode::kCache, {.what = what,
                            .where = where_ + " field " + name,
                            .got = got,
                            .fix = "delete the folder and run `softcot precompute` again"});
  }

  const ThoughtCacheFields& fields_;
  const std::string& where_;
};

}  // namespace

ThoughtCacheFields to_attributes(const ThoughtCacheKey& key) {
  return {
      {kVersionField, key.format_version},
      {"assistant_hash", key.assistant_hash},
      {"assistant_layers", key.assistant_layers},
      {"assistant_type", kTypes[static_cast<std::size_t>(key.assistant_type)]},
      {"tokenizer_hash", key.tokenizer_hash},
      {"prompt_hash", key.prompt_hash},
      {"thoughts", key.thoughts},
      {"prompt_mode", kPromptModes[static_cast<std::size_t>(key.prompt_mode)]},
      {"stored_type", kTypes[static_cast<std::size_t>(key.stored_type)]},
      {"dataset_hash", key.dataset_hash},
      {"task", key.task},
      {"rows", key.rows},
      {"width", key.width},
  };
}

ThoughtCacheKey key_from_attributes(const ThoughtCacheFields& fields, const std::string& where) {
  const Fields from(fields, where);
  ThoughtCacheKey key;
  key.format_version = from.get<std::int64_t>(kVersionField);
  if (key.format_version != kThoughtCacheVersion) {
    fail(ExitCode::kCache, {.what = "thought cache has another format version",
                            .where = where,
                            .expected = std::to_string(kThoughtCacheVersion),
                            .got = std::to_string(key.format_version),
                            .fix = "run `softcot precompute` into a new folder"});
  }
  key.assistant_hash = from.get<std::string>("assistant_hash");
  key.assistant_layers = from.get<std::int64_t>("assistant_layers");
  key.assistant_type = from.get_enum<ThoughtType>("assistant_type", kTypes);
  key.tokenizer_hash = from.get<std::string>("tokenizer_hash");
  key.prompt_hash = from.get<std::string>("prompt_hash");
  key.thoughts = from.get<std::int64_t>("thoughts");
  key.prompt_mode = from.get_enum<PromptMode>("prompt_mode", kPromptModes);
  key.stored_type = from.get_enum<ThoughtType>("stored_type", kTypes);
  key.dataset_hash = from.get<std::string>("dataset_hash");
  key.task = from.get<std::string>("task");
  key.rows = from.get<std::int64_t>("rows");
  key.width = from.get<std::int64_t>("width");
  return key;
}

std::string short_hash(const ThoughtCacheKey& key) {
  std::string text;
  for (const auto& [name, value] : to_attributes(key)) {
    // Lengths before texts: no two keys run together into the same bytes.
    const std::string part = text_of(value);
    text += fmt::format("{}={}:{};", name, part.size(), part);
  }
  return hash_bytes(text).substr(0, 12);
}

std::string folder_name(const ThoughtCacheKey& key) {
  return fmt::format("thoughts-N{}-{}", key.thoughts, short_hash(key));
}

std::optional<KeyDifference> first_difference(const ThoughtCacheKey& expected,
                                              const ThoughtCacheKey& got) {
  const ThoughtCacheFields wanted = to_attributes(expected);
  const ThoughtCacheFields found = to_attributes(got);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].second != found[i].second) {
      return KeyDifference{wanted[i].first, text_of(wanted[i].second), text_of(found[i].second)};
    }
  }
  return std::nullopt;
}

void require_same_key(const ThoughtCacheKey& expected, const ThoughtCacheKey& got,
                      const std::string& where) {
  const std::optional<KeyDifference> difference = first_difference(expected, got);
  if (!difference) return;
  fail(ExitCode::kCache,
       {.what = "thought cache is stale: " + difference->field + " differs",
        .where = where,
        .expected = shown(difference->expected),
        .got = shown(difference->got),
        .fix = "run `softcot precompute` into another folder, or delete this one"});
}

}  // namespace softcot
