#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/child_process.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {

using Ids = std::vector<std::int64_t>;
using Json = nlohmann::json;

/// What score says of one id alone.
inline constexpr const char* kOneIdScored =
    "{\"token_logprobs\":[null],\"logprob\":0.0,\"is_greedy\":true}\n";

/// The program alone, or on ranks that share the model.
inline ChildResult softcot(std::vector<std::string> arguments, const std::string& input = "",
                           int ranks = 1) {
  arguments.insert(arguments.begin(), SOFTCOT_PROGRAM);
  if (ranks == 1) return run_child(arguments, input);
  arguments.insert(arguments.end(), {"--parallel.tp", std::to_string(ranks)});
  return run_child(under_mpirun(ranks, arguments), input);
}

/// JSON objects, one a line.
inline std::vector<Json> parsed_lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// {"ids": […]} for each.
inline std::string lines_of_ids(const std::vector<Ids>& rows) {
  std::string lines;
  for (const Ids& ids : rows) lines += Json{{"ids", ids}}.dump() + "\n";
  return lines;
}

/// A fixture model's folder with whatever a test adds to it.
class ModelCopy {
 public:
  explicit ModelCopy(const std::string& name) {
    std::filesystem::copy(fixture_folder() / name, path(),
                          std::filesystem::copy_options::recursive);
  }
  std::filesystem::path path() const { return folder_.path() / "model"; }
  void set_stop_token(std::int64_t id) const {
    write_text(path() / "generation_config.json", Json{{"eos_token_id", id}}.dump());
  }
  void add_tokenizer() const {
    write_text(path() / "tokenizer.json", tiny_tokenizer_json().dump());
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace softcot::test
