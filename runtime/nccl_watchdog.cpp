#include "runtime/nccl_watchdog.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <future>

#include "runtime/log.h"
#include "runtime/single_voice.h"

namespace softcot {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{50};
/// How long an abort may take, and then the owner's thread to end the job in order.
constexpr milliseconds kAbortWait{10000};
constexpr milliseconds kOwnerWait{30000};
/// How long a communicator may take to be freed at the end of a job.
constexpr milliseconds kFinalizeWait{5000};

double seconds(milliseconds time) { return static_cast<double>(time.count()) / 1000; }

bool is_error(nccl::Result result) {
  return result != nccl::kSuccess && result != nccl::kInProgress;
}

struct Pending {
  FlightEntry call;
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> done;  // Empty until NCCL has taken it.
};

}  // namespace

struct NcclWatchdog::Group {
  std::string name;
  std::vector<int> ranks;
  int rank = 0;
  nccl::Comm comm = nullptr;
  std::uint64_t next = 0;  // Sequence number.
  std::deque<Pending> pending;
  bool calling = false;  // The owner's thread is inside of NCCL.
  nccl::Result error = nccl::kSuccess;
};

struct NcclWatchdog::Fault {
  Group* group;
  FlightEntry call;
  bool timed_out;
};

NcclWatchdog::NcclWatchdog(const NcclLibrary& library, Options options)
    : library_(library),
      options_(std::move(options)),
      period_(std::clamp(options_.timeout / 8, kTick, milliseconds(1000))),
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

// The owner's thread. NCCL is called without the lock, so that the watchdog can act when it blocks.

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
  if (!is_error(result)) done = queued();
  std::unique_lock lock(mutex_);
  if (is_error(result)) {
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
      if (result == nccl::kSuccess) call(group, [&] { return nccl.CommDestroy(group.comm); });
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

// The watchdog's thread.

void NcclWatchdog::watch() {
  auto written = Clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, kTick);
    if (stopping_) break;
    if (const std::optional<Fault> fault = find_fault()) {
      aborting_ = true;
      lock.unlock();
      end_badly(*fault);
      return;
    }
    if (Clock::now() < written + period_) continue;
    lock.unlock();
    record_.write();
    written = Clock::now();
    lock.lock();
  }
  lock.unlock();
  record_.write();
}

std::optional<NcclWatchdog::Fault> NcclWatchdog::find_fault() {
  bool ended = false;
  for (Group& group : groups_) {
    auto& pending = group.pending;
    while (!pending.empty() && pending.front().done && pending.front().done()) {
      record_.end(group.name, pending.front().call.sequence);
      pending.pop_front();
      ended = true;
    }
    if (!group.calling && group.comm != nullptr && !is_error(group.error)) {
      library_.call().CommGetAsyncError(group.comm, &group.error);
    }
    FlightEntry last{.group = group.name, .sequence = group.next};
    if (!pending.empty()) last = pending.front().call;
    if (is_error(group.error)) return Fault{&group, last, false};
    if (!pending.empty() && pending.front().deadline < Clock::now()) {
      return Fault{&group, last, true};
    }
  }
  if (ended) changed_.notify_all();
  return std::nullopt;
}

Problem NcclWatchdog::describe(const Fault& fault) const {
  const Group& group = *fault.group;
  const std::filesystem::path& folder = record_.folder();
  MissingRanks found{fault.call.sequence, fault.call.name, ""};
  std::string who = "no flight records to tell which ranks are missing";
  if (fault.call.name.empty()) {
    found.name = "the pause before";
    who = "no collective under way";
  } else if (!folder.empty()) {
    found =
        find_missing(folder, fault.call, options_.rank, group.ranks, 4 * seconds(period_) + 0.5);
    who = found.missing.empty() ? "all ranks have called it" : "missing: " + found.missing;
  }
  const std::string call =
      fmt::format("{} number {} of group {}", found.name, found.sequence, group.name);
  Problem problem{
      .what = fault.timed_out ? call + " timed out" : "NCCL failed in " + call,
      .where = fmt::format("rank {} of a group of {}", group.rank, group.ranks.size()),
      .expected = fmt::format("all ranks to join within {} s", seconds(options_.timeout)),
      .got = who,
      .fix = "look for the rank that stopped or failed first; "};
  if (!fault.timed_out) {
    problem.expected.clear();
    problem.got = fmt::format("{}; {}", library_.call().GetErrorString(group.error), who);
  }
  problem.fix += folder.empty() ? "--parallel.flight-records DIR writes down what each has called"
                                : fmt::format("{} has what each called last", folder.string());
  return problem;
}

/// False when it has not returned in time.
bool NcclWatchdog::abort_all() {
  std::vector<nccl::Comm> comms;
  {
    std::unique_lock lock(mutex_);
    // A call that does not block is over in no time; the abort is to free the ones that do.
    changed_.wait_for(lock, milliseconds(500), [this] {
      return std::none_of(groups_.begin(), groups_.end(),
                          [](const Group& group) { return group.calling; });
    });
    for (const Group& group : groups_) {
      if (group.comm != nullptr) comms.push_back(group.comm);
    }
  }
  std::promise<void> promise;
  const std::future<void> returned = promise.get_future();
  std::thread([comms, abort = library_.call().CommAbort, done = std::move(promise)]() mutable {
    for (const nccl::Comm comm : comms) abort(comm);
    done.set_value();
  }).detach();
  return returned.wait_for(std::min(kAbortWait, options_.timeout)) == std::future_status::ready;
}

void NcclWatchdog::end_badly(const Fault& fault) {
  record_.write();
  std::this_thread::sleep_for(2 * period_);  // Then the others have written theirs.
  const Problem problem = describe(fault);
  if (!abort_all()) end_process(problem);
  std::unique_lock lock(mutex_);
  failure_ = problem;
  changed_.notify_all();
  if (changed_.wait_for(lock, kOwnerWait, [this] { return stopping_; })) return;
  lock.unlock();
  end_process(problem);
}

void NcclWatchdog::end_process(const Problem& problem) const {
  if (may_report_failure(options_.rank)) {
    write_standard_error(
        fmt::format("rank {}: {}\n", options_.rank, format_error(ExitCode::kPeer, problem)));
  }
  _exit(static_cast<int>(ExitCode::kPeer));
}

}  // namespace softcot
