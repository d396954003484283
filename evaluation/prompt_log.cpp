#include "evaluation/prompt_log.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/atomic_file.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/sealed_json.h"

namespace softcot {

void write_prompts(const std::filesystem::path& file, const std::vector<PromptText>& prompts) {
  std::string lines;
  for (const PromptText& prompt : prompts) {
    const nlohmann::ordered_json line = {{"question_id", prompt.question_id},
                                         {"prompt_hash", prompt.prompt_hash},
                                         {"prompt", prompt.text}};
    lines += seal_json(json_text(line)) + "\n";
  }
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, lines);
}

std::map<std::string, std::string> read_prompts(const std::filesystem::path& file) {
  std::map<std::string, std::string> texts;
  std::ifstream lines = open_regular(file);
  for (std::string text; std::getline(lines, text);) {
    const auto line = parse_json_or_null(text);
    try {
      texts.emplace(require<std::string>(line, "prompt_hash", file.string()),
                    require<std::string>(line, "prompt", file.string()));
    } catch (const Error&) {
      log_warning("{}: a torn or damaged prompt is left out", file.string());
    }
  }
  return texts;
}

}  // namespace softcot
