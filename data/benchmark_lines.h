#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/record.h"

namespace softcot {

/// No line of a dataset may be longer, in bytes.
constexpr std::size_t kMaxDatasetLine = std::size_t{1} << 20;

/// How the objects of a file are counted, from 1.
enum class DatasetPlace { kLine, kRecord };

/// One object of a JSON-lines file, or of a list in a JSON file. The readers throw Error kInput
/// naming file, line or record, and key.
class DatasetLine {
 public:
  /// Keeps a reference to `object`.
  DatasetLine(const nlohmann::json& object, std::string file, std::size_t number,
              DatasetPlace place = DatasetPlace::kLine);

  /// "file:17", or "file, record 17".
  const std::string& where() const { return where_; }
  /// "train:17" for line or record 17 of train.jsonl: an id for files that have none.
  std::string default_id() const;

  bool has(const char* key) const;
  bool flag(const char* key) const;
  std::string text(const char* key) const;
  /// A number as people write it: 51.0 is "51".
  std::string number(const char* key) const;
  /// The first of a list that holds numbers only, likewise.
  std::string first_number(const char* key) const;
  /// An object from names to numbers, in the order of the names.
  std::vector<std::pair<std::string, double>> numbers_by_name(const char* key) const;
  /// A text, or a number as it would be written.
  std::string text_or_number(const char* key) const;
  /// A list of texts, or one text whose lines they are. Empty ones are left out.
  std::vector<std::string> lines(const char* key) const;
  std::vector<std::string> texts(const char* key) const;

  [[noreturn]] void refuse(std::string what, std::string expected, std::string got) const;

 private:
  const nlohmann::json& require(const char* key, const char* kind) const;
  [[noreturn]] void wrong_kind(const char* key, std::string expected, std::string got) const;

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

/// Calls `visit` for each object of a JSON file that is a list, or, with `key`, an object whose
/// `key` is the list, until it returns false.
/// @throws Error kInput: no such file; no JSON; no such list; an item that is no object.
void for_each_json_item(const std::filesystem::path& file, const char* key,
                        const std::function<bool(const DatasetLine&)>& visit);

/// Without white space (ASCII) at both ends.
std::string trimmed(std::string_view text);
/// Lines of `text`, trimmed, without the empty ones.
std::vector<std::string> trimmed_lines(std::string_view text);

/// Throws unless the answer is the letter of one of the choices, which are 2 to 26.
void require_choice(const Record& record, const DatasetLine& line);

}  // namespace softcot
