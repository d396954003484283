#include "launch/json_lines.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <utility>

#include "launch/standard_output.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {

nlohmann::json parse_json_object(const std::string& text, const std::string& where) {
  nlohmann::json object = parse_json(text, where);
  if (!object.is_object()) {
    fail(ExitCode::kInput, {.what = "line is not a JSON object",
                            .where = where,
                            .expected = "{…}",
                            .got = json_kind(object)});
  }
  return object;
}

JsonLineReader::JsonLineReader(std::istream& stream, std::string name)
    : stream_(stream), name_(std::move(name)) {}

bool JsonLineReader::next() {
  std::string text;
  do {
    if (!std::getline(stream_, text)) {
      // C++ streams take an error of standard input for its end.
      if (&stream_ == &std::cin && std::ferror(stdin) != 0) {
        fail(ExitCode::kInput, {.what = "cannot be read to its end", .where = where()});
      }
      return false;
    }
    ++line_;
  } while (text.find_first_not_of(" \t\r") == std::string::npos);
  object_ = parse_json_object(text, where());
  return true;
}

std::string JsonLineReader::where() const { return fmt::format("{}, line {}", name_, line_); }

void write_json_line(const nlohmann::ordered_json& object) {
  write_standard_output(json_text(object) + "\n");
}

}  // namespace softcot
