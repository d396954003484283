#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace softcot {

/// A JSON value together with its place in its file, so that each error names both. Does not own
/// the value. All readers throw Error kInput when a key is missing or of another type.
class JsonView {
 public:
  JsonView(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  /// False for a missing key and for null.
  bool has(const char* key) const;
  JsonView at(const char* key) const;
  /// Of an array.
  std::vector<JsonView> elements() const;

  std::string text(const char* key) const;
  std::int64_t integer(const char* key) const;
  /// `fallback` for a missing key and for null.
  bool flag(const char* key, bool fallback) const;
  std::string text(const char* key, const std::string& fallback) const;

  [[noreturn]] void refuse(const char* key, std::string expected, std::string got) const;

 private:
  const nlohmann::json& require(const char* key) const;

  const nlohmann::json* value_;
  std::string where_;
};

}  // namespace softcot
