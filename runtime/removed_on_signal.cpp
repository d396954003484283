#include "runtime/removed_on_signal.h"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

namespace softcot {
namespace {

enum State : int { kFree, kInWork, kArmed };

struct Slot {
  std::atomic<int> state{kFree};
  int descriptor = -1;
  pid_t owner = 0;
  std::array<char, PATH_MAX> path{};
};

// What the handler reads; it takes no lock and allocates nothing.
std::array<Slot, kMostRemovedOnSignal> slots;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void softcot_remove_and_end(int signal_number) {
  for (Slot& slot : slots) {
    struct stat mine {};
    struct stat there {};
    if (slot.state != kArmed || slot.owner != getpid()) continue;
    if (fstat(slot.descriptor, &mine) == 0 && stat(slot.path.data(), &there) == 0 &&
        mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
      unlink(slot.path.data());
    }
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);  // Comes when the handler returns.
}

void install_handlers() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
    struct sigaction now {};
    if (sigaction(number, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_handler = softcot_remove_and_end;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

}  // namespace

RemovedOnSignal::RemovedOnSignal(int descriptor, const std::filesystem::path& path) {
  std::error_code error;
  const std::string text = std::filesystem::absolute(path, error).string();
  if (error || text.size() >= PATH_MAX) return;
  install_handlers();
  for (int i = 0; i < kMostRemovedOnSignal; ++i) {
    Slot& slot = slots[i];
    int free = kFree;
    if (!slot.state.compare_exchange_strong(free, kInWork)) continue;
    slot.descriptor = descriptor;
    slot.owner = getpid();
    std::memcpy(slot.path.data(), text.c_str(), text.size() + 1);
    slot.state = kArmed;
    slot_ = i;
    return;
  }
}

RemovedOnSignal::~RemovedOnSignal() {
  if (slot_ >= 0) slots[slot_].state = kFree;
}

}  // namespace softcot
