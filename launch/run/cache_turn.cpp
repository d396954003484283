#include "launch/run/cache_turn.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "data/thought_cache_block.h"
#include "runtime/error.h"
#include "runtime/hidden_name.h"
#include "runtime/log.h"

namespace softcot {
namespace {

using Clock = std::chrono::steady_clock;

// Far below the other ranks' patience (parallel.timeout-seconds): each look ends with a collective.
constexpr std::chrono::milliseconds kLookEvery{250};
/// Looks become rarer, up to this: one at a lock of another host writes a file to learn the time.
constexpr std::chrono::milliseconds kLookAtMostEvery{1000};
constexpr std::chrono::seconds kTellEvery{30};

enum class Look { kComplete, kTaken, kHeld };

/// What a killed job has left in a finished cache goes, where this user may write.
void tidy(const std::filesystem::path& folder) {
  remove_abandoned(folder);
  if (!std::filesystem::exists(folder / kLockName)) return;
  try {
    std::string holder;
    CacheLock::try_take(folder, holder);
  } catch (const Error&) {
    return;  // Read-only.
  }
}

/// Rank 0's looks at the cache, and what it tells of them.
class Watch {
 public:
  explicit Watch(const SharedCache& cache) : cache_(cache) {}

  Look look(std::unique_ptr<CacheLock>& lock) {
    if (cache_.is_complete()) {
      tidy(cache_.folder);
      return Look::kComplete;
    }
    std::string holder;
    lock = CacheLock::try_take(cache_.folder, holder);
    if (lock) return Look::kTaken;
    if (Clock::now() >= tell_at_) {
      log_info("{}: {}{}, {}; {}", cache_.name, kWaitingForCache, holder, cache_.progress(),
               cache_.folder.string());
      tell_at_ = Clock::now() + kTellEvery;
    }
    return Look::kHeld;
  }

 private:
  const SharedCache& cache_;
  Clock::time_point tell_at_;  // At once.
};

}  // namespace

CacheTurn wait_for_turn(const SharedCache& cache, Communicator& world) {
  CacheTurn turn;
  Watch watch(cache);
  auto pause = kLookEvery;
  for (;;) {
    Look look = Look::kHeld;
    if (world.rank() == 0) {
      look = watch.look(turn.lock);
      if (look == Look::kHeld) std::this_thread::sleep_for(pause);
      pause = std::min(2 * pause, kLookAtMostEvery);
    }
    const auto seen = world.rank() == 0 ? static_cast<std::int64_t>(look) : std::int64_t{-1};
    look = static_cast<Look>(reduce_scalar(world, seen, ReduceOp::kMax));
    turn.complete = look == Look::kComplete;
    if (look != Look::kHeld) return turn;
  }
}

}  // namespace softcot
