#include "checkpoints/retention.h"

#include <algorithm>
#include <exception>
#include <system_error>

#include "checkpoints/layout.h"
#include "runtime/fault_point.h"
#include "runtime/log.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

bool remove_folder(const fs::path& path, RetentionReport& report) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return true;
  ++report.failed;
  log_warning("{} could not be removed: {}", path.string(), error.message());
  return false;
}

/// Hides a checkpoint, then deletes it.
bool remove_checkpoint(const CheckpointEntry& entry, RetentionReport& report) {
  const fs::path hidden = work_path(entry.path.parent_path(), entry.step);
  std::error_code error;
  fs::remove_all(hidden, error);
  fs::rename(entry.path, hidden, error);
  if (error) {
    ++report.failed;
    log_warning("{} could not be removed: {}", entry.path.string(), error.message());
    return false;
  }
  fault_point("retention.hidden");
  return remove_folder(hidden, report);
}

void remove_old(const fs::path& folder, const RetentionPolicy& policy, RetentionReport& report) {
  std::vector<CheckpointEntry> complete = list_checkpoints(folder);
  std::erase_if(complete, [](const CheckpointEntry& entry) { return !entry.complete; });
  const std::size_t last = std::max<std::size_t>(policy.keep_last, 1);
  if (complete.size() <= last) return;
  complete.resize(complete.size() - last);
  for (const CheckpointEntry& entry : complete) {
    if (policy.keep_every != 0 && entry.step % policy.keep_every == 0) continue;
    const auto& steps = policy.keep_steps;
    if (std::find(steps.begin(), steps.end(), entry.step) != steps.end()) continue;
    if (remove_checkpoint(entry, report)) report.removed.push_back(entry.step);
  }
}

void remove_unfinished(const fs::path& folder, RetentionReport& report) {
  std::vector<fs::path> unfinished;
  std::error_code error;
  for (fs::directory_iterator files(folder, error); !error && files != fs::directory_iterator();
       files.increment(error)) {
    if (is_leftover(files->path())) unfinished.push_back(files->path());
  }
  for (const CheckpointEntry& entry : list_checkpoints(folder)) {
    if (entry.complete) continue;
    log_warning("{} was never finished: it is removed", entry.path.string());
    unfinished.push_back(entry.path);
  }
  for (const fs::path& path : unfinished) report.leftovers += remove_folder(path, report) ? 1 : 0;
}

template <typename Work>
RetentionReport without_failing(const Work& work) noexcept {
  RetentionReport report;
  try {
    work(report);
  } catch (const std::exception& error) {
    ++report.failed;
    write_log_line(LogLevel::kWarning, "old checkpoints were not removed:");
    write_log_line(LogLevel::kWarning, error.what());
  }
  return report;
}

}  // namespace

RetentionReport apply_retention(const fs::path& folder, const RetentionPolicy& policy) noexcept {
  return without_failing([&](RetentionReport& report) { remove_old(folder, policy, report); });
}

RetentionReport remove_leftovers(const fs::path& folder) noexcept {
  return without_failing([&](RetentionReport& report) { remove_unfinished(folder, report); });
}

}  // namespace softcot
