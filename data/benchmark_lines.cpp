#include "data/benchmark_lines.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

#include "data/tokenizer_text.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/mapped_file.h"

namespace softcot {

namespace {

constexpr const char* kOtherFormat = "check that data.task names the benchmark of this file";

std::string number_text(double value) {
  constexpr double kExact = 1e15;
  const bool whole = std::abs(value) < kExact && std::floor(value) == value;
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{}", value);
}

// A list or document over many lines: another benchmark's file, not a damaged line.
void require_lines(std::string_view first, const std::string& file) {
  if (first != "{" && !first.starts_with('[') && !first.starts_with('<')) return;
  fail(ExitCode::kInput, {.what = "dataset file is not JSON lines",
                          .where = file + ":1",
                          .expected = "one JSON object on each line",
                          .got = std::string(first.substr(0, 40)),
                          .fix = kOtherFormat});
}

}  // namespace

DatasetLine::DatasetLine(const nlohmann::json& object, std::string file, std::size_t number,
                         DatasetPlace place)
    : object_(object),
      file_(std::move(file)),
      number_(number),
      where_(place == DatasetPlace::kLine ? fmt::format("{}:{}", file_, number)
                                          : fmt::format("{}, record {}", file_, number)) {
  if (!object_.is_object()) {
    refuse(place == DatasetPlace::kLine ? "line of a dataset is not a JSON object"
                                        : "record of a dataset is not a JSON object",
           "{\"question\": …}", object_.type_name());
  }
}

std::string DatasetLine::default_id() const {
  std::string name;  // Ids are written as JSON, which a file's name need not fit.
  Utf8Repair repair;
  repair.append(std::filesystem::path(file_).stem().string(), name);
  repair.finish(name);
  return fmt::format("{}:{}", name, number_);
}

bool DatasetLine::has(const char* key) const { return object_.contains(key); }

void DatasetLine::refuse(std::string what, std::string expected, std::string got) const {
  fail(ExitCode::kInput, {.what = std::move(what),
                          .where = where_,
                          .expected = std::move(expected),
                          .got = std::move(got)});
}

void DatasetLine::wrong_kind(const char* key, std::string expected, std::string got) const {
  fail(ExitCode::kInput, {.what = fmt::format("field \"{}\" of the wrong type", key),
                          .where = where_,
                          .expected = std::move(expected),
                          .got = std::move(got),
                          .fix = kOtherFormat});
}

const nlohmann::json& DatasetLine::require(const char* key, const char* kind) const {
  const auto found = object_.find(key);
  if (found == object_.end()) {
    fail(ExitCode::kInput, {.what = "field missing in a dataset",
                            .where = where_,
                            .expected = fmt::format("\"{}\": {}", key, kind),
                            .fix = kOtherFormat});
  }
  return *found;
}

std::string DatasetLine::text(const char* key) const {
  const nlohmann::json& value = require(key, "a text");
  if (!value.is_string()) {
    wrong_kind(key, "a text", value.type_name());
  }
  return value.get<std::string>();
}

bool DatasetLine::flag(const char* key) const {
  const nlohmann::json& value = require(key, "true or false");
  if (!value.is_boolean()) {
    wrong_kind(key, "true or false", value.type_name());
  }
  return value.get<bool>();
}

std::string DatasetLine::number(const char* key) const {
  const nlohmann::json& value = require(key, "a number");
  if (!value.is_number()) {
    wrong_kind(key, "a number", value.type_name());
  }
  return number_text(value.get<double>());
}

std::string DatasetLine::first_number(const char* key) const {
  const nlohmann::json& value = require(key, "a list of numbers");
  if (!value.is_array() || value.empty() || !value.front().is_number()) {
    wrong_kind(key, "a list of numbers",
               value.is_array() ? "a list without one" : value.type_name());
  }
  return number_text(value.front().get<double>());
}

std::vector<std::pair<std::string, double>> DatasetLine::numbers_by_name(const char* key) const {
  const nlohmann::json& value = require(key, "an object of numbers");
  std::vector<std::pair<std::string, double>> all;
  if (!value.is_object()) {
    wrong_kind(key, "an object of numbers", value.type_name());
  }
  for (const auto& [name, item] : value.items()) {
    if (!item.is_number()) {
      wrong_kind(key, "an object of numbers",
                 fmt::format("\"{}\" with {}", name, item.type_name()));
    }
    all.emplace_back(name, item.get<double>());
  }
  return all;
}

std::string DatasetLine::text_or_number(const char* key) const {
  const nlohmann::json& value = require(key, "a text or a number");
  if (!value.is_number()) return text(key);
  // JSON's fractions and large numbers are read as doubles, which keep 15 digits.
  constexpr std::ptrdiff_t kExactDigits = 15;
  std::string number = value.dump();
  const auto mantissa = std::string_view(number).substr(0, number.find('e'));
  const auto digits = std::count_if(mantissa.begin(), mantissa.end(),
                                    [](unsigned char c) { return std::isdigit(c) != 0; });
  if (value.is_number_float() && digits > kExactDigits) {
    wrong_kind(key, "a text, or a number of at most 15 digits", number);
  }
  return number;
}

std::vector<std::string> DatasetLine::texts(const char* key) const {
  const nlohmann::json& value = require(key, "a list of texts");
  std::vector<std::string> all;
  if (!value.is_array()) {
    wrong_kind(key, "a list of texts", value.type_name());
  }
  for (const nlohmann::json& item : value) {
    if (!item.is_string()) {
      wrong_kind(key, "a list of texts", fmt::format("a list with {}", item.type_name()));
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
  bool first = true;
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
    const std::string content = trimmed(line);
    if (content.empty()) continue;
    if (std::exchange(first, false)) require_lines(content, file.string());
    const nlohmann::json object = parse_json(line, where);
    if (!visit(DatasetLine(object, file.string(), number))) return;
  }
}

void for_each_json_item(const std::filesystem::path& file, const char* key,
                        const std::function<bool(const DatasetLine&)>& visit) {
  const auto refuse = [&](const std::string& got) {
    fail(ExitCode::kInput,
         {.what = "dataset file of another format",
          .where = file.string(),
          .expected = key == nullptr ? "a JSON list of records"
                                     : fmt::format("a JSON object with a list \"{}\"", key),
          .got = got,
          .fix = kOtherFormat});
  };
  constexpr std::uint64_t kMaxBytes = std::uint64_t{64} << 20;
  const std::string text = read_file(file, kMaxBytes);
  const std::string content = trimmed(text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text);
  if (content.empty()) refuse("an empty file");
  if (content.front() != (key == nullptr ? '[' : '{')) {
    refuse(trimmed(std::string_view(content).substr(0, content.find('\n'))).substr(0, 40));
  }
  // A second object on a later line: JSON lines.
  if (key != nullptr && content.find("}\n{") != std::string::npos) refuse("JSON lines");
  const nlohmann::json document = parse_json(content, file.string());
  const nlohmann::json* list = &document;
  if (key != nullptr) {
    const auto found = document.find(key);
    if (found == document.end()) refuse("an object without it");
    list = &*found;
  }
  if (!list->is_array()) refuse(list->type_name());
  std::size_t number = 0;
  for (const nlohmann::json& item : *list) {
    if (!visit(DatasetLine(item, file.string(), ++number, DatasetPlace::kRecord))) return;
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

void require_choice(const Record& record, const DatasetLine& line) {
  constexpr std::size_t kLetters = 26;
  const std::size_t count = record.choices.size();
  if (count < 2 || count > kLetters) {
    line.refuse("number of choices", "2 to 26", std::to_string(count));
  }
  const bool letter = record.answer.size() == 1 && record.answer[0] >= 'A' &&
                      static_cast<std::size_t>(record.answer[0] - 'A') < count;
  if (!letter) {
    line.refuse("answer is none of the choices",
                fmt::format("the letter of one of {} choices, from A", count), record.answer);
  }
}

}  // namespace softcot
