#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launch/run/sample_parts.h"

namespace softcot {

/// What an evaluation leaves in its run folder, and what a training leaves there.
const std::vector<std::filesystem::path>& evaluation_files();
const std::vector<std::filesystem::path>& training_files();

/// Moves files that were made under other settings out of the way, to RUN/set-aside-N, where
/// they keep their names: nothing is deleted because settings changed. N is the first that is free,
/// and the folder is made with the first file. Local, for one process at a time.
class SetAside {
 public:
  explicit SetAside(std::filesystem::path run);
  /// `file`: a file or folder, relative to the run folder. What is not there, or is an empty
  /// folder, is passed over. Says so in one line of the log, with `reason`, for the first.
  void take(const std::filesystem::path& file, const std::string& reason);

 private:
  std::filesystem::path run_;
  std::filesystem::path folder_;  // Empty until it is made.
};

/// Whether a folder of this name holds what was set aside: no run of its own for inspect and
/// report.
bool is_set_aside(const std::filesystem::path& folder);

/// The sample files, whole and in parts, of this method and key that were set aside in a run
/// folder.
std::vector<std::filesystem::path> samples_set_aside(const std::filesystem::path& run,
                                                     const SampleParts& parts);

}  // namespace softcot
