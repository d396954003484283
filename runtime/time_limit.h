#pragma once

#include <functional>
#include <optional>

namespace softcot {

/// When a run has to stop by itself, so that its checkpoint is written before somebody ends it.
struct TimeLimitOptions {
  double max_minutes = 0;      ///< Of this process, from the TimeLimit's making; 0 = no limit.
  double margin_seconds = 60;  ///< Least time kept free before the end of the batch job.
};

/// Seconds from now to SLURM_JOB_END_TIME, negative once it is past; nothing without that variable
/// or if it is no time.
std::optional<double> seconds_to_job_end();

/// Watches a loop that asks once every round whether to stop. A limit counts as reached three of
/// its longest rounds ahead (they hold the checkpoints and held-out losses so far), that of the
/// batch job at least the margin ahead. Local: ranks must agree by themselves.
class TimeLimit {
 public:
  /// Seconds of a clock that is never set back.
  using Clock = std::function<double()>;

  TimeLimit(const TimeLimitOptions& options, std::optional<double> seconds_to_job_end,
            Clock clock = steady_seconds);

  /// Ends a round. Once true, true for ever; says why in the log.
  bool reached();

  static double steady_seconds();

 private:
  bool before(std::optional<double> end, double margin, const char* what);

  Clock clock_;
  double margin_;
  std::optional<double> own_end_;
  std::optional<double> job_end_;
  std::optional<double> last_;  // When reached() was asked last.
  double longest_ = 0;
  bool reached_ = false;
};

}  // namespace softcot
