#include "runtime/nccl_watchdog.h"

#include <sched.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "runtime/log.h"

namespace softcot {
namespace {

/// How long a communicator may take to be freed at the end of a job.
constexpr std::chrono::milliseconds kFinalizeWait{5000};

}  // namespace

NcclWatchdog::NcclWatchdog(const NcclLibrary& library, Options options)
    : library_(library),
      options_(std::move(options)),
      period_(std::clamp(options_.timeout / 8, kTick, std::chrono::milliseconds(1000))),
      record_(options_.flight_records, options_.rank),
      thread_([this] { watch(); }) {}

NcclWatchdog::~NcclWatchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// The owner's side. NCCL is called without the lock, so that the watchdog can act when it blocks.

void NcclWatchdog::usable_or_throw(std::unique_lock<std::mutex>& lock) {
  if (aborting_) changed_.wait(lock, [this] { return failure_.has_value(); });
  if (failure_) fail(ExitCode::kPeer, *failure_);
}

void NcclWatchdog::check() {
  std::unique_lock lock(mutex_);
  usable_or_throw(lock);
}

nccl::Result NcclWatchdog::call(Group& group, const std::function<nccl::Result()>& function) {
  {
    std::unique_lock lock(mutex_);
    usable_or_throw(lock);
    group.calling = true;
  }
  const nccl::Result result = function();
  const std::lock_guard lock(mutex_);
  group.calling = false;
  return result;
}

/// Waits until NCCL has taken the last call.
nccl::Result NcclWatchdog::settle(Group& group, nccl::Result result) {
  for (std::uint64_t polls = 0; result == nccl::kInProgress; ++polls) {
    if (polls > 256) sched_yield();
    const nccl::Result asked =
        call(group, [&] { return library_.call().CommGetAsyncError(group.comm, &result); });
    if (asked != nccl::kSuccess) return asked;
  }
  return result;
}

void NcclWatchdog::run(Group& group, FlightEntry entry,
                       const std::function<nccl::Result(nccl::Comm)>& start,
                       const std::function<std::function<bool()>()>& queued) {
  {
    std::unique_lock lock(mutex_);
    usable_or_throw(lock);
    entry.group = group.name;
    entry.sequence = group.next++;
    record_.start(entry);
    group.pending.push_back({entry, Clock::now() + options_.timeout, {}});
  }
  const nccl::Result result = settle(group, call(group, [&] { return start(group.comm); }));
  std::function<bool()> done;
  if (!nccl::is_error(result)) done = queued();
  std::unique_lock lock(mutex_);
  if (nccl::is_error(result)) {
    group.error = result;
    changed_.notify_all();  // The watchdog takes it from here,
    changed_.wait(lock, [this] { return failure_.has_value(); });
    fail(ExitCode::kPeer, *failure_);  // and this is what it says.
  }
  if (group.pending.size() == 1 && done()) {
    record_.end(group.name, entry.sequence);
    group.pending.pop_back();
  } else {
    group.pending.back().done = std::move(done);
  }
}

NcclWatchdog::Group& NcclWatchdog::open(const std::string& name, const std::vector<int>& ranks,
                                        int rank, const nccl::UniqueId& id) {
  Group* group = nullptr;
  {
    const std::lock_guard lock(mutex_);
    group = &groups_.emplace_back();
    group->name = name;
    group->ranks = ranks;
    group->rank = rank;
    record_.join(name, ranks);
  }
  const auto make = [&](nccl::Comm) {
    nccl::Config config;
    config.blocking = 0;
    return library_.call().CommInitRankConfig(&group->comm, static_cast<int>(ranks.size()), id,
                                              rank, &config);
  };
  run(*group, {.name = "making of the communicator"}, make, [] { return [] { return true; }; });
  return *group;
}

void NcclWatchdog::close(Group& group) noexcept {
  try {
    if (std::uncaught_exceptions() == 0) {
      drain();
      const auto& nccl = library_.call();
      const auto deadline = Clock::now() + kFinalizeWait;
      nccl::Result result = call(group, [&] { return nccl.CommFinalize(group.comm); });
      while (result == nccl::kInProgress && Clock::now() < deadline) {
        sched_yield();
        call(group, [&] { return nccl.CommGetAsyncError(group.comm, &result); });
      }
      if (result == nccl::kSuccess) {
        call(group, [&] { return nccl.CommDestroy(std::exchange(group.comm, nullptr)); });
      }
    }
  } catch (const std::exception& error) {
    log_warning("NCCL group {} was left as it is: {}", group.name, error.what());
  }
  const std::lock_guard lock(mutex_);
  // While the watchdog aborts, it holds on to what it found.
  if (!aborting_) groups_.remove_if([&](const Group& each) { return &each == &group; });
}

void NcclWatchdog::drain() {
  std::unique_lock lock(mutex_);
  const auto idle = [this] {
    return std::all_of(groups_.begin(), groups_.end(),
                       [](const Group& group) { return group.pending.empty(); });
  };
  changed_.wait(lock, [&] { return idle() || failure_.has_value(); });
  if (failure_) fail(ExitCode::kPeer, *failure_);
}

}  // namespace softcot
