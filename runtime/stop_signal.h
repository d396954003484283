#pragma once

#include <signal.h>

#include <initializer_list>
#include <span>
#include <vector>

namespace softcot {

/// While this object lives, the given signals and SIGINT ask the run to stop at the next step
/// instead of ending it; afterwards the handlers are those of before. A second SIGINT ends the
/// process at once; a second of the others changes nothing. One object at a time, per process.
class StopSignals {
 public:
  /// SIGUSR1 may clash with an MPI or NCCL set-up, therefore the choice. SIGKILL and SIGSTOP throw
  /// kUsage.
  explicit StopSignals(std::span<const int> signals);
  StopSignals(std::initializer_list<int> signals = {SIGTERM, SIGUSR1})
      : StopSignals(std::span<const int>(signals.begin(), signals.size())) {}
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct Replaced {
    int signal;
    struct sigaction before;
  };
  void restore() noexcept;
  std::vector<Replaced> replaced_;
};

/// Whether a stop was asked for, by a signal or by `request_stop`. Local: ranks must agree on it
/// themselves, for a launcher may signal only some of them.
bool stop_requested();

/// The signal that asked first; 0 when none did.
int stop_signal();

/// Asks for a stop without a signal (time limit near). Safe in any thread.
void request_stop();

/// Forgets requests, for tests and for a new run in the same process.
void clear_stop_request();

}  // namespace softcot
