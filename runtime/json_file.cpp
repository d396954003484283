#include "runtime/json_file.h"

#include <algorithm>

#include "runtime/atomic_file.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

/// Brackets outside strings, counted before anything is built.
bool too_deep(std::string_view text, std::size_t max_depth) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max_depth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

std::string line_and_column(std::string_view text, std::size_t at) {
  at = std::min(at, text.size());
  const std::string_view before = text.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const std::string column = fmt::format("column {}", std::max<std::size_t>(at - start, 1));
  const bool one_line = text.find('\n') == std::string_view::npos;
  return one_line ? column : fmt::format("line {} {}", line, column);
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where,
                          const JsonLimits& limits) {
  const auto refuse = [&](const std::string& what, const std::string& got) {
    fail(limits.code, {.what = what, .where = where, .got = got});
  };
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.size() > limits.max_bytes)
    refuse("JSON is too large", fmt::format("{} bytes", text.size()));
  // The parser takes a NUL for the end of the text.
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
    refuse("JSON cannot be read", "a NUL byte at " + line_and_column(text, at + 1));
  }
  if (too_deep(text, limits.max_depth)) {
    refuse("JSON is nested too deeply", fmt::format("more than {} levels", limits.max_depth));
  }
  if (json_seal(text) == JsonSeal::kBroken) {
    refuse("JSON is damaged", "contents that do not match their hash");
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    refuse("JSON cannot be read", "an error at " + line_and_column(text, error.byte));
  } catch (const nlohmann::json::exception&) {
    refuse("JSON cannot be read", "a number out of range");
  }
  return {};
}

nlohmann::json parse_json_or_null(std::string_view text) {
  try {
    return parse_json(text, "");
  } catch (const Error&) {
    return nullptr;
  }
}

nlohmann::json read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  std::string text;
  try {
    text = read_file(path, limits.max_bytes);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    fail(limits.code, error.problem());
  }
  return parse_json(text, path.string(), limits);
}

std::string json_kind(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      return "null";
    case nlohmann::json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case nlohmann::json::value_t::string:
      return "the string \"" + value.get<std::string>().substr(0, 60) + "\"";
    case nlohmann::json::value_t::array:
      return fmt::format("a list of {}", value.size());
    case nlohmann::json::value_t::object:
      return "an object";
    default:
      return value.dump();
  }
}

namespace json_detail {

void fail_missing(ExitCode code, std::string_view key, const std::string& where) {
  fail(code, {.what = fmt::format("key \"{}\" is missing", key), .where = where});
}

void fail_kind(ExitCode code, std::string_view key, const std::string& where, const char* wanted,
               const nlohmann::json& got) {
  const std::string what = key.empty() ? "value is of the wrong kind"
                                       : fmt::format("key \"{}\" is of the wrong kind", key);
  fail(code, {.what = what, .where = where, .expected = wanted, .got = json_kind(got)});
}

}  // namespace json_detail
}  // namespace softcot
