#include "data/benchmark_lines.h"

#include <fmt/format.h>

#include <string_view>

#include "data/tokenizer_text.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/mapped_file.h"

namespace softcot {

DatasetLine::DatasetLine(const nlohmann::json& object, std::string file, std::size_t number)
    : object_(object),
      file_(std::move(file)),
      number_(number),
      where_(fmt::format("{}:{}", file_, number)) {
  if (!object_.is_object()) {
    refuse("line of a dataset is not a JSON object", "{\"question\": …}", object_.type_name());
  }
}

std::string DatasetLine::default_id() const {
  return fmt::format("{}:{}", std::filesystem::path(file_).stem().string(), number_);
}

bool DatasetLine::has(const char* key) const { return object_.contains(key); }

void DatasetLine::refuse(std::string what, std::string expected, std::string got) const {
  fail(ExitCode::kInput, {.what = std::move(what),
                          .where = where_,
                          .expected = std::move(expected),
                          .got = std::move(got)});
}

const nlohmann::json& DatasetLine::require(const char* key, const char* kind) const {
  const auto found = object_.find(key);
  if (found == object_.end()) {
    refuse("field missing in a dataset", fmt::format("\"{}\": {}", key, kind), "");
  }
  return *found;
}

std::string DatasetLine::text(const char* key) const {
  const nlohmann::json& value = require(key, "a text");
  if (!value.is_string()) {
    refuse(fmt::format("field \"{}\" of the wrong type", key), "a text", value.type_name());
  }
  return value.get<std::string>();
}

std::string DatasetLine::text_or_number(const char* key) const {
  const nlohmann::json& value = require(key, "a text or a number");
  return value.is_number() ? value.dump() : text(key);
}

std::vector<std::string> DatasetLine::texts(const char* key) const {
  const nlohmann::json& value = require(key, "a list of texts");
  std::vector<std::string> all;
  if (!value.is_array()) {
    refuse(fmt::format("field \"{}\" of the wrong type", key), "a list of texts",
           value.type_name());
  }
  for (const nlohmann::json& item : value) {
    if (!item.is_string()) {
      refuse(fmt::format("field \"{}\" of the wrong type", key), "a list of texts",
             fmt::format("a list with {}", item.type_name()));
    }
    all.push_back(item.get<std::string>());
  }
  return all;
}

std::vector<std::string> DatasetLine::lines(const char* key) const {
  if (require(key, "a text or a list of texts").is_string()) return trimmed_lines(text(key));
  std::vector<std::string> all;
  for (const std::string& item : texts(key)) {
    if (std::string line = trimmed(item); !line.empty()) all.push_back(std::move(line));
  }
  return all;
}

void for_each_json_line(const std::filesystem::path& file,
                        const std::function<bool(const DatasetLine&)>& visit) {
  const MappedFile mapped = MappedFile::open(file);
  std::string_view rest(reinterpret_cast<const char*>(mapped.bytes().data()),
                        mapped.bytes().size());
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string where = fmt::format("{}:{}", file.string(), number);
    if (line.size() > kMaxDatasetLine) {
      fail(ExitCode::kInput, {.what = "line of a dataset is too long",
                              .where = where,
                              .expected = fmt::format("at most {} bytes", kMaxDatasetLine),
                              .got = fmt::format("{} bytes", line.size()),
                              .fix = "write one JSON object on each line"});
    }
    if (const std::size_t bad = find_invalid_utf8(line); bad != std::string_view::npos) {
      fail(ExitCode::kInput, {.what = "line of a dataset is not valid UTF-8",
                              .where = where,
                              .got = fmt::format("0x{:02x} at byte {} of the line",
                                                 static_cast<unsigned char>(line[bad]), bad)});
    }
    if (trimmed(line).empty()) continue;
    const nlohmann::json object = parse_json(line, where);
    if (!visit(DatasetLine(object, file.string(), number))) return;
  }
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

std::vector<std::string> trimmed_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (std::string kept = trimmed(line); !kept.empty()) lines.push_back(std::move(kept));
  }
  return lines;
}

}  // namespace softcot
