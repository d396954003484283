#include "runtime/stop_signal.h"

#include <atomic>
#include <string>

#include "runtime/error.h"

namespace softcot {
namespace {

// The handler touches nothing but these, which is all that a handler may do.
std::atomic<bool> requested{false};
std::atomic<int> first_signal{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void softcot_on_stop_signal(int signal) {
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  requested = true;
}

}  // namespace

StopSignals::StopSignals(std::span<const int> signals) {
  const auto replace = [this](int number, int flags) {
    struct sigaction action {};
    action.sa_handler = softcot_on_stop_signal;
    action.sa_flags = SA_RESTART | flags;
    sigfillset(&action.sa_mask);
    Replaced entry{number, {}};
    if (sigaction(number, &action, &entry.before) != 0) {
      restore();
      fail(ExitCode::kUsage, {.what = "signal cannot be used to ask for a stop",
                              .got = std::to_string(number),
                              .fix = "use SIGTERM, SIGUSR1 or SIGUSR2"});
    }
    replaced_.push_back(entry);
  };
  for (const int number : signals) {
    if (number != SIGINT) replace(number, 0);
  }
  replace(SIGINT, static_cast<int>(SA_RESETHAND));  // the second one ends the process
}

StopSignals::~StopSignals() { restore(); }

void StopSignals::restore() noexcept {
  for (; !replaced_.empty(); replaced_.pop_back()) {
    sigaction(replaced_.back().signal, &replaced_.back().before, nullptr);
  }
}

bool stop_requested() { return requested; }

int stop_signal() { return first_signal; }

void request_stop() { requested = true; }

void clear_stop_request() {
  requested = false;
  first_signal = 0;
}

}  // namespace softcot
