#include "evaluation/prompt_log.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/atomic_file.h"
#include "runtime/json_file.h"
#include "runtime/sealed_json.h"

namespace softcot {

void write_prompts(const std::filesystem::path& file, const std::vector<PromptText>& prompts) {
  std::string lines;
  for (const PromptText& prompt : prompts) {
    const nlohmann::ordered_json line = {{"question_id", prompt.question_id},
                                         {"prompt_hash", prompt.prompt_hash},
                                         {"prompt", prompt.text}};
    lines += seal_json(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n";
  }
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, lines);
}

std::map<std::string, std::string> read_prompts(const std::filesystem::path& file) {
  std::map<std::string, std::string> texts;
  std::ifstream lines(file);
  for (std::string text; std::getline(lines, text);) {
    const auto line = parse_json_or_null(text);
    if (!line.is_object() || !line.contains("prompt_hash") || !line.contains("prompt")) continue;
    if (json_seal(text) == JsonSeal::kBroken) continue;
    if (!line["prompt_hash"].is_string() || !line["prompt"].is_string()) continue;
    texts.emplace(line["prompt_hash"].get<std::string>(), line["prompt"].get<std::string>());
  }
  return texts;
}

}  // namespace softcot
