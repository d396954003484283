#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/fixtures.h"

namespace softcot::test {

/// Makes a whole Hugging Face folder of a fixture model ("llama", "llama-assistant", "qwen2" …) and
/// a byte-level tokenizer with the special tokens of its family: ChatML for Llama's architecture.
void make_tiny_model(const std::filesystem::path& folder, const std::string& fixture);

/// Changes one number of a float32 tensor in a safetensors file.
void put_float(const std::filesystem::path& weights, const std::string& tensor, std::size_t element,
               float value);

/// Writes `count` short sums as GSM8K lines, of different lengths; the first is sum number `first`,
/// and sums of different numbers differ.
void write_questions(const std::filesystem::path& file, int first, int count);

/// Fills a folder with two tiny models, questions, short prompts and project.cfg, which names them
/// all.
void make_tiny_project(const std::filesystem::path& folder, int train_questions,
                       int eval_questions);

/// Such a project in a folder of its own.
class TinyProject {
 public:
  static constexpr int kTrainQuestions = 24;
  static constexpr int kEvalQuestions = 10;
  static constexpr int kThoughts = 4;

  TinyProject();

  /// backbone/, assistant/, train.jsonl, eval.jsonl, prompts.txt, caches/ (made by precompute).
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  /// "softcot COMMAND" on this project, options after it overriding the configuration's.
  std::vector<std::string> call(const std::string& command,
                                const std::vector<std::string>& options = {}) const;
  /// The same with --run.folder RUN.
  std::vector<std::string> call_in(const std::string& run, const std::string& command,
                                   const std::vector<std::string>& options = {}) const;

  /// Fills the caches that the configuration asks for.
  void precompute() const;

 private:
  TemporaryFolder folder_;
};

/// All names below a folder, relative to it and sorted; none for a folder that is not there.
std::vector<std::string> names_below(const std::filesystem::path& folder);

}  // namespace softcot::test
