#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace softcot {

/// What one call of a command computed for a run, for how long and on what: a line of work.jsonl in
/// the run folder. No result depends on it. A call that is killed leaves none.
struct WorkRecord {
  std::string command;          ///< "train", "evaluate".
  std::string method;           ///< Of evaluate the name of the sample file.
  double seconds = 0;           ///< Without reading models and data.
  std::int64_t rows = 0;        ///< Trained on, or samples written.
  std::int64_t new_tokens = 0;  ///< Written by the backbone.
  int ranks = 1;
  int tp = 1;
  int threads = 1;      ///< Of each rank.
  std::string device;   ///< "cpu", "cuda".
  std::string machine;  ///< Host, processor, cores and GPU of rank 0; filled in by append_work.

  bool operator==(const WorkRecord&) const = default;
};

/// Adds a line; what cannot be written is warned about and no reason to stop. Local, rank 0.
void append_work(const std::filesystem::path& path, WorkRecord record);

/// All whole lines of a file; none where there is no file.
std::vector<WorkRecord> read_work(const std::filesystem::path& path);

}  // namespace softcot
