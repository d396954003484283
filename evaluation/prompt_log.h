#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace softcot {

/// The prompt of one question as a method puts it to the backbone, in words for people
/// (data/row_text.h).
struct PromptText {
  std::string question_id;
  std::string prompt_hash;  ///< Sample::prompt_hash.
  std::string text;
};

/// Writes prompts/METHOD.jsonl of a run folder, one line a question; the file appears whole. Local,
/// rank 0. Throws as AtomicFile does.
void write_prompts(const std::filesystem::path& file, const std::vector<PromptText>& prompts);

/// Texts by prompt hash; empty where there is no file. Lines that cannot be read are left out with
/// a warning.
std::map<std::string, std::string> read_prompts(const std::filesystem::path& file);

}  // namespace softcot
