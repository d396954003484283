#include "launch/run/run_folder.h"

#include <fmt/format.h>

#include "launch/options/option_sources.h"
#include "launch/run/deciding_options.h"
#include "launch/run/set_aside.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

std::string describe(const std::vector<ConfigDifference>& differences) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < differences.size() && i < kShown; ++i) {
    const ConfigDifference& each = differences[i];
    text += fmt::format("{}{} was {}, now {}", i == 0 ? "" : "; ", each.name, each.saved, each.now);
  }
  if (differences.size() > kShown) text += fmt::format("; {} more", differences.size() - kShown);
  return text;
}

/// Options that choose which lines are evaluated: each has a sample file, whose key tells whether
/// it is that of the other settings.
bool chooses_lines(const std::string& option) {
  return option == "evaluate.methods" || option == "evaluate.also-greedy" ||
         option == "evaluate.every-stage" || option == "evaluate.compat";
}

}  // namespace

std::string task_of_run(const std::filesystem::path& folder) {
  for (const char* name : {"config.cfg", "evaluate.cfg"}) {
    const auto file = folder / name;
    if (!std::filesystem::exists(file)) continue;
    for (const Assignment& assignment : read_config_file(file)) {
      if (assignment.name == "data.task") return assignment.value;
    }
  }
  return "";
}

Settings read_settings(const std::filesystem::path& file) {
  Settings settings;
  for (const Assignment& assignment : read_config_file(file)) {
    settings[assignment.name] = assignment.value;
  }
  return settings;
}

std::vector<ConfigDifference> config_differences(const std::filesystem::path& file,
                                                 const OptionSet& options) {
  const Settings saved = read_settings(file);
  std::vector<ConfigDifference> differences;
  for (const auto& [name, now] : options.values()) {
    if (!changes_results(name)) continue;
    const auto found = saved.find(name);
    const std::string before = found == saved.end() ? "(not set)" : found->second;
    if (found == saved.end() || before != now) differences.push_back({name, before, now});
  }
  return differences;
}

RunFolder::RunFolder(const std::filesystem::path& folder, const OptionSet& options, Reuse reuse,
                     const std::string& config_name)
    : paths_{folder},
      config_(folder / config_name),
      options_(options.effective_config()),
      now_(options.values()),
      made_(!std::filesystem::exists(folder)) {
  make_folder(folder);
  lock_ = FileLock::take_or_refuse(paths_.lock(),
                                   {.what = "run folder is in use",
                                    .where = paths_.folder.string(),
                                    .fix = "wait for that job, or give --run.folder another name"});
  if (std::filesystem::exists(config_)) {
    const std::vector<ConfigDifference> differences = config_differences(config_, options);
    if (!differences.empty() && reuse == Reuse::kSameConfig) {
      fail(ExitCode::kUsage,
           {.what = "run folder was made with other options",
            .where = folder.string(),
            .got = describe(differences),
            .fix = "give --run.folder a new name, or --resume with the options of before"});
    }
    if (!differences.empty() && reuse == Reuse::kAnyConfig) {
      log_warning("{} was made with other options: {}", folder.string(), describe(differences));
    }
  }
  make_folder(paths_.folder / "samples");
  make_folder(paths_.checkpoints());
}

RunFolder::~RunFolder() {
  if (!made_) return;
  std::error_code ignored;  // What is not empty stays.
  std::filesystem::remove(paths_.folder / "samples", ignored);
  std::filesystem::remove(paths_.checkpoints(), ignored);
  std::filesystem::directory_iterator left(paths_.folder, ignored);
  for (int count = 0; !ignored && left != end(left); left.increment(ignored)) {
    if (++count > 1) return;  // more than the lock
  }
  std::filesystem::remove(paths_.lock(), ignored);
  std::filesystem::remove(paths_.folder, ignored);
}

void RunFolder::save_config() const { write_file_atomically(config_, options_); }

void RunFolder::set_aside(const std::vector<std::filesystem::path>& files,
                          const std::vector<std::string>& methods) const {
  if (!std::filesystem::exists(config_)) return;
  const Settings saved = read_settings(config_);
  std::vector<ConfigDifference> differences;
  for (const auto& [name, now] : deciding(now_, methods)) {
    const auto found = saved.find(name);
    if (!chooses_lines(name) && found != saved.end() && found->second != now) {
      differences.push_back({name, found->second, now});
    }
  }
  if (differences.empty()) return;
  SetAside aside(paths_.folder);
  for (const auto& file : files) aside.take(file, describe(differences));
  make_folder(paths_.folder / "samples");
  make_folder(paths_.checkpoints());
}

}  // namespace softcot
