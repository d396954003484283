#include "runtime/single_voice.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "runtime/launcher.h"

namespace softcot {
namespace {

/// False when a signal cut it short: the job is being ended.
bool wait_seconds(int seconds) {
  const timespec wait{seconds, 0};
  return nanosleep(&wait, nullptr) == 0;
}

}  // namespace

JobMark leave_job_mark(const std::string& name) {
  const auto folder = job_folder();
  if (folder.empty()) return JobMark::kNowhere;
  const auto path = folder / ("softcot-" + name + "-" + job_name());
  const int descriptor = open(path.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return errno == EEXIST ? JobMark::kTaken : JobMark::kNowhere;
  close(descriptor);
  return JobMark::kMine;
}

bool may_report_failure(int rank) {
  const bool together = job_is_on_this_machine();
  const JobMark mark = leave_job_mark("failed");
  if (rank == 0 && !together) return true;  // Who has the mark waits for it.
  if (mark == JobMark::kTaken) {
    wait_seconds(together ? 2 : 7);  // The other's exit status is to be the job's.
    return false;
  }
  if (rank == 0 || (mark == JobMark::kMine && together)) return true;
  return wait_seconds(5);
}

}  // namespace softcot
