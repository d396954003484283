#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/options/option_set.h"
#include "launch/run/file_lock.h"
#include "runtime/settings.h"

namespace softcot {

/// Names inside of a run folder (docs/file-formats.md). Every rank may ask; nothing is touched.
struct RunPaths {
  std::filesystem::path folder;

  std::filesystem::path config() const { return folder / "config.cfg"; }
  std::filesystem::path metrics() const { return folder / "metrics.jsonl"; }
  std::filesystem::path tensorboard() const { return folder / "tensorboard"; }
  std::filesystem::path checkpoints() const { return folder / "checkpoints"; }
  std::filesystem::path samples(const std::string& method) const {
    return folder / "samples" / (method + ".jsonl");
  }
  std::filesystem::path results() const { return folder / "results.json"; }
  std::filesystem::path prompts(const std::string& method) const {
    return folder / "prompts" / (method + ".jsonl");
  }
  std::filesystem::path work() const { return folder / "work.jsonl"; }
  /// The folder of an evaluation on another task than the run was made for.
  std::filesystem::path transfer(const std::string& task) const { return folder / ("on-" + task); }
  std::filesystem::path lock() const { return folder / "run.lock"; }
};

/// The options of a config file by name. Throws OptionErrors for one that cannot be read.
Settings read_settings(const std::filesystem::path& file);

struct ConfigDifference {
  std::string name;
  std::string saved;  ///< "(not set)" when only one side knows the option.
  std::string now;
};

/// What the saved configuration `file` and the options in force disagree about, by name, of those
/// that change results. Throws OptionErrors when the file cannot be read. Options that the command
/// does not use are passed over.
std::vector<ConfigDifference> config_differences(const std::filesystem::path& file,
                                                 const OptionSet& options);

/// The task that a run was trained on, or if it was not trained, evaluated on, as its configuration
/// has it; empty where there is none. Local.
std::string task_of_run(const std::filesystem::path& folder);

/// The right to write into a run folder: one job at a time, held by its rank 0 for as long as this
/// object lives; it ends with the process whatever becomes of that.
class RunFolder {
 public:
  enum class Reuse {
    kSameConfig,  ///< A folder of another configuration is refused: kUsage, naming the options.
    kAnyConfig,   ///< It is warned about: for a resume, whose checkpoint has a say of its own.
    kSetAside,    ///< set_aside() deals with it.
  };

  /// Makes the folder with samples/ and checkpoints/, takes run.lock, and compares the options in
  /// force with those saved as `config_name`. Throws kUsage when the folder cannot be written, is
  /// held by another job (host and process are named), or holds another configuration; then nothing
  /// in it is changed.
  RunFolder(const std::filesystem::path& folder, const OptionSet& options, Reuse reuse,
            const std::string& config_name = "config.cfg");
  /// Removes the folder again if it was made for this object and nothing was written into it.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Saves the options. Call it once everything else that may refuse the job has passed: until then
  /// the folder belongs to whoever used it before.
  void save_config() const;

  /// Where the saved options differ from those in force in one that decides what these methods are
  /// trained to or answer, moves `files` to set-aside-N (SetAside). Options that only one side has
  /// are passed over. Call it when save_config() may be called, too.
  void set_aside(const std::vector<std::filesystem::path>& files,
                 const std::vector<std::string>& methods) const;

  const RunPaths& paths() const { return paths_; }

 private:
  RunPaths paths_;
  std::filesystem::path config_;
  std::string options_;  // As save_config() writes them.
  Settings now_;
  bool made_;
  std::optional<FileLock> lock_;
};

}  // namespace softcot
