#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "launch/sweep/work.h"

namespace softcot {

/// How far one work is.
struct WorkState {
  enum class Phase {
    kUnwanted,   ///< Another share's.
    kWaiting,    ///< For a free place, or for what it needs.
    kElsewhere,  ///< Held by another process.
    kRunning,
    kDone,
    kFailed,
  };
  using Clock = std::chrono::steady_clock;

  Phase phase = Phase::kUnwanted;
  std::string step = {};         ///< Of a running one.
  Clock::time_point start = {};  ///< Of one that was run.
  double seconds = 0;            ///< That one took which this call has run; else 0.
  WorkFailure failure = {};      ///< Of a failed one.
};

/// What there is still to do, in seconds, for so many at a time: the estimates of what is neither
/// done nor failed, scaled as what was run here took against its own. Less what running ones have
/// behind them. Negative where nothing tells.
double seconds_left(std::span<const WorkState> states, std::span<const double> estimates, int jobs,
                    WorkState::Clock::time_point now);

/// A table of running works under a line of counts, on standard error: on a terminal redrawn at
/// most five times a second, elsewhere that line alone, at most every ten seconds. Local, one
/// thread.
class WorkDisplay {
 public:
  /// `estimates` of the works in seconds, or all equal where nothing is known of them; then time is
  /// told once one is done. The works must outlive it.
  WorkDisplay(std::string title, const std::vector<Work>& works, std::vector<double> estimates,
              bool in_seconds, int jobs);
  /// Takes the table away.
  ~WorkDisplay();
  WorkDisplay(const WorkDisplay&) = delete;
  WorkDisplay& operator=(const WorkDisplay&) = delete;

  void update(std::span<const WorkState> states);
  /// A line of the log, above the table.
  void say(const std::string& line, bool warning = false);
  /// The counts as the last line.
  void finish(std::span<const WorkState> states);

 private:
  using Clock = WorkState::Clock;

  std::string counts(std::span<const WorkState> states) const;
  void draw(std::span<const WorkState> states);
  void erase();

  std::string title_;
  const std::vector<Work>& works_;
  std::vector<double> estimates_;
  bool in_seconds_;
  int jobs_;
  bool terminal_;
  std::size_t drawn_ = 0;  // Lines of the table that stand on the terminal.
  Clock::time_point shown_;
};

}  // namespace softcot
