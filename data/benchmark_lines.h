#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace softcot {

/// No line of a dataset may be longer, in bytes.
constexpr std::size_t kMaxDatasetLine = std::size_t{1} << 20;

/// One object of a JSON-lines file. The readers throw Error kInput naming file, line and key.
class DatasetLine {
 public:
  DatasetLine(const nlohmann::json& object, std::string file, std::size_t number);

  /// "file:line"
  const std::string& where() const { return where_; }
  /// "train:17" for line 17 of train.jsonl: an id for files that have none.
  std::string default_id() const;

  bool has(const char* key) const;
  std::string text(const char* key) const;
  /// A text, or a number as it would be written.
  std::string text_or_number(const char* key) const;
  /// A list of texts, or one text whose lines they are. Empty ones are left out.
  std::vector<std::string> lines(const char* key) const;
  std::vector<std::string> texts(const char* key) const;

  [[noreturn]] void refuse(std::string what, std::string expected, std::string got) const;

 private:
  const nlohmann::json& require(const char* key, const char* kind) const;

  const nlohmann::json& object_;
  std::string file_;
  std::size_t number_;
  std::string where_;
};

/// Calls `visit` for each line that is not blank, until it returns false. A byte order mark and
/// carriage returns at line ends are accepted.
/// @throws Error kInput: no such file; a line that is too long, not UTF-8 or not a JSON object.
void for_each_json_line(const std::filesystem::path& file,
                        const std::function<bool(const DatasetLine&)>& visit);

/// Without white space (ASCII) at both ends.
std::string trimmed(std::string_view text);
/// Lines of `text`, trimmed, without the empty ones.
std::vector<std::string> trimmed_lines(std::string_view text);

}  // namespace softcot
