#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace softcot {

struct FileDamage {
  std::filesystem::path file;  ///< Relative to the run folder.
  std::string reason;
  ExitCode code;  ///< kCheckpoint or kInput.
};

/// What of a run folder is whole.
struct RunHealth {
  std::size_t checkpoints = 0;
  std::size_t lines = 0;  ///< Of metrics.jsonl, work.jsonl, samples/ and prompts/.
  std::vector<FileDamage> damaged;

  bool sound() const { return damaged.empty(); }
};

/// Reads every byte of a run's checkpoints, results and lines, of evaluations on other tasks too. A
/// torn last line is damage too, and so are results of more samples than there are.
RunHealth verify_run(const std::filesystem::path& folder);

/// Removes damaged checkpoints, results and lines, and what dead writers left. Returns what, in
/// words. Holds the run's lock meanwhile: throws kUsage where a job has it.
std::vector<std::string> repair_run(const std::filesystem::path& folder);

/// What the first line of a file of JSON lines is.
enum class FirstLine {
  kOneOfMany,
  kHead,  ///< It says what the others belong to.
};

/// Drops the damaged lines of a file of JSON lines; the whole file where its head is among them.
/// Returns what, in words.
std::vector<std::string> repair_lines(const std::filesystem::path& file, FirstLine first);

}  // namespace softcot
