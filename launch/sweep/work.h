#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/settings.h"

namespace softcot {

/// The settings as a config file that the commands read.
std::string config_text(const Settings& settings);

/// One call of a command.
struct WorkStep {
  std::string command;
  std::filesystem::path config;        ///< Below the work's folder.
  std::vector<std::string> more = {};  ///< Arguments after --config.
};

/// Commands that together fill one folder, which is done as a whole or not: a cell of a suite or a
/// sweep, or what several cells need.
struct Work {
  std::string name = {};  ///< Of its folder, below that of all works.
  std::string hash = {};  ///< Of all that decides its results.
  /// Config files below its folder, each with run.folder as the folder that it lies in.
  std::vector<std::pair<std::filesystem::path, Settings>> configs = {};
  std::vector<WorkStep> steps = {};
  std::vector<std::size_t> needs = {};  ///< Works that must be done before it, by position.
  /// The work whose samples of zero-shot CoT it takes over, among `needs`.
  std::optional<std::size_t> baseline = {};
  std::size_t cells = 1;  ///< For which it stands where progress is told.
};

/// What a finished work says of itself.
struct WorkDone {
  std::string hash;
  double seconds = 0;  ///< From its start; 0 where it is not known.
};

/// The step that ended a work.
struct WorkFailure {
  std::string step;
  int status = 0;  ///< Its exit status; of a mark that cannot be read, that of an internal error.
  std::string reason;

  std::string text() const;  ///< "failed: train 137: error[…] …"
};

// Files in a work's folder.
inline constexpr const char* kWorkConfig = "cell.cfg";
inline constexpr const char* kWorkLog = "cell.log";
inline constexpr const char* kWorkLock = "cell.lock";

// Marks in a work's folder, which is there where they are written. Local.
std::optional<WorkDone> read_done(const std::filesystem::path& folder);
void write_done(const std::filesystem::path& folder, const std::string& hash, double seconds);
std::optional<WorkFailure> read_failure(const std::filesystem::path& folder);
void write_failure(const std::filesystem::path& folder, const WorkFailure& failure);
void remove_marks(const std::filesystem::path& folder);
std::filesystem::path failure_mark(const std::filesystem::path& folder);

/// "failed: train 137: error[…] …", "made under other settings", "not run"; nothing when the work
/// in this folder is done under the settings of this hash.
std::optional<std::string> why_missing(const std::filesystem::path& folder,
                                       const std::string& hash);

}  // namespace softcot
