#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#include "runtime/error.h"

namespace softcot {

/// What text is accepted as JSON. Nesting is bounded so that hostile text cannot use up the stack.
struct JsonLimits {
  std::size_t max_depth = 200;
  std::uint64_t max_bytes = 64u << 20;
  ExitCode code = ExitCode::kInput;  ///< What the file's Error ends the process with.
};

/// One JSON value out of strict UTF-8 text (a byte order mark before it is skipped); nothing but
/// white space may follow. A seal (runtime/sealed_json.h) must fit. Throws limits.code with
/// `where`, line and column. Of keys that come twice in one object the last counts.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          const JsonLimits& limits = {});

/// As above, but null for a text that is refused: for lines that a reader may pass over.
nlohmann::json parse_json_or_null(std::string_view text);

/// As parse_json, from a file. A file that is missing or too large throws limits.code as well.
nlohmann::json read_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

/// The text of a value, in one line or with `indent`. What is no UTF-8 in it, as the name of a file
/// may be, is replaced.
template <typename Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// What a value is, in words: "the string \"x\"", "a list of 3", "1.5" …
std::string json_kind(const nlohmann::json& value);

namespace json_detail {

template <typename T>
constexpr const char* kind_wanted() {
  if constexpr (std::is_same_v<T, nlohmann::json>) return "any value";
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, std::string>) return "a string";
  if constexpr (std::is_integral_v<T>) {
    return std::is_signed_v<T> ? "a whole number" : "a whole number, not negative";
  }
  if constexpr (std::is_floating_point_v<T>) return "a number";
  if constexpr (requires { typename T::value_type; }) {
    if constexpr (std::is_integral_v<typename T::value_type>) return "a list of whole numbers";
    if constexpr (std::is_floating_point_v<typename T::value_type>) return "a list of numbers";
    if constexpr (std::is_same_v<typename T::value_type, std::string>) return "a list of strings";
  }
  return "a list";
}

template <typename T>
bool fits(const nlohmann::json& value) {
  if constexpr (std::is_same_v<T, nlohmann::json>) {
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else if constexpr (std::is_integral_v<T>) {
    if (value.is_number_unsigned()) {
      return value.get<std::uint64_t>() <=
             static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    }
    return std::is_signed_v<T> && value.is_number_integer() &&
           value.get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else {
    if (!value.is_array()) return false;
    for (const auto& item : value) {
      if (!fits<typename T::value_type>(item)) return false;
    }
    return true;
  }
}

[[noreturn]] void fail_missing(ExitCode code, std::string_view key, const std::string& where);
[[noreturn]] void fail_kind(ExitCode code, std::string_view key, const std::string& where,
                            const char* wanted, const nlohmann::json& got);

}  // namespace json_detail

/// The value of `key` in `object`, as bool, std::string, an integer or floating type that holds it,
/// nlohmann::json, or std::vector of these; nothing is converted or rounded but whole numbers to
/// floating ones. Throws `code` naming `where` and the key when it is missing or of another kind.
template <typename T>
T require(const nlohmann::json& object, std::string_view key, const std::string& where,
          ExitCode code = ExitCode::kInput) {
  if (!object.is_object()) json_detail::fail_kind(code, "", where, "an object", object);
  const auto found = object.find(key);
  if (found == object.end()) json_detail::fail_missing(code, key, where);
  if (!json_detail::fits<T>(*found)) {
    json_detail::fail_kind(code, key, where, json_detail::kind_wanted<T>(), *found);
  }
  return found->template get<T>();
}

/// As `require`, but a missing key or null gives `otherwise`.
template <typename T>
T optional(const nlohmann::json& object, std::string_view key, T otherwise,
           const std::string& where, ExitCode code = ExitCode::kInput) {
  if (object.is_object()) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return otherwise;
  }
  return require<T>(object, key, where, code);
}

}  // namespace softcot
