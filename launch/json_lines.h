#pragma once

#include <istream>
#include <nlohmann/json.hpp>
#include <string>

namespace softcot {

/// The JSON object that `text` is. Throws kInput naming `where` when it is not one.
nlohmann::json parse_json_object(const std::string& text, const std::string& where);

/// The JSON objects of a stream, one a line, as tools read them from standard input. Blank lines
/// are passed over, and counted.
class JsonLineReader {
 public:
  /// `name` is how errors call the stream: "standard input". The stream must outlive the reader.
  JsonLineReader(std::istream& stream, std::string name);

  /// Goes on to the next object; false at the end of the stream. Throws kInput, naming the line,
  /// when it is not one JSON object.
  bool next();
  const nlohmann::json& object() const { return object_; }
  /// "standard input, line 3": of the object read last.
  std::string where() const;

 private:
  std::istream& stream_;
  std::string name_;
  int line_ = 0;
  nlohmann::json object_;
};

/// Writes one object as a line of standard output, at once; see write_standard_output.
void write_json_line(const nlohmann::ordered_json& object);

}  // namespace softcot
