#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launch/run/file_lock.h"
#include "launch/sweep/child_command.h"
#include "launch/sweep/work.h"
#include "launch/sweep/work_display.h"
#include "runtime/error.h"

namespace softcot {

struct WorkOptions {
  std::filesystem::path out;  ///< Holds the folders of all works.
  int jobs = 1;               ///< Works at a time.
  int ranks = 1;              ///< MPI ranks of each step.
  /// What starts a step on several ranks, with {ranks} for their number.
  std::string launcher = "mpirun --quiet --oversubscribe --bind-to none -n {ranks}";
  /// CUDA_VISIBLE_DEVICES of each of the `jobs` steps at a time; empty leaves it as it is.
  std::vector<std::string> gpus = {};
};

/// Runs works in the order of their needs, each step a process of its own. A work is held by a lock
/// in its folder, which its steps inherit: several runners, on several machines, may share one
/// folder, and what a killed one has left running is waited for.
class WorkRunner {
 public:
  /// Needs come before what needs them. The works must outlive it.
  WorkRunner(const std::vector<Work>& works, WorkOptions options);

  /// Runs what is missing of the wanted works and of what they need. A work that fails is recorded
  /// in its folder, and so is one that needs it; the others go on. Returns kOk, the exit status of
  /// the first in order that failed, or, after a stop was asked for, kStopped.
  ExitCode run(const std::vector<bool>& wanted, WorkDisplay& display);

 private:
  struct Running {
    std::size_t work;
    std::size_t step;
    std::size_t slot;  // Of the works at a time: below `jobs`, and no other's.
    FileLock lock;
    std::uintmax_t log_begin;  // Bytes that earlier steps have written.
    std::unique_ptr<ChildCommand> command;
    std::string waiting;                  // For whom the step waits, as it said last.
    WorkState::Clock::time_point looked;  // When its log was last looked at.
  };
  using Phase = WorkState::Phase;

  std::filesystem::path folder(std::size_t work) const;
  bool done(std::size_t work) const;
  /// When the work's failure was recorded; nothing like it where there is none.
  std::filesystem::file_time_type failed_at(std::size_t work) const;
  void want(std::size_t work);
  /// Takes note of what other processes have done.
  void look_around();
  void start_what_can(WorkDisplay& display);
  void try_start(std::size_t work, WorkDisplay& display);
  void prepare(std::size_t work) const;
  /// Tells when the step waits for another job.
  void look_at_log(Running& running, WorkDisplay& display);
  void start_step(Running& running, WorkDisplay& display);
  /// Whether it goes on.
  bool look_at(Running& running, WorkDisplay& display);
  void fail_work(std::size_t work, const WorkFailure& failure, WorkDisplay& display);
  std::size_t free_slot() const;
  std::vector<std::string> words_of(const Running& running) const;
  std::map<std::string, std::string> environment_of(const Running& running) const;

  const std::vector<Work>& works_;
  WorkOptions options_;
  std::vector<WorkState> states_;
  std::vector<std::filesystem::file_time_type> failed_before_;  // When run() began.
  std::vector<Running> running_;
};

}  // namespace softcot
