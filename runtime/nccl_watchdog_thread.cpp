#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>

#include "runtime/log.h"
#include "runtime/nccl_watchdog.h"
#include "runtime/single_voice.h"

namespace softcot {
namespace {

using std::chrono::milliseconds;

/// How long an abort may take, and then the owner's thread to end the job in order.
constexpr milliseconds kAbortWait{10000};
constexpr milliseconds kOwnerWait{30000};

double seconds(milliseconds time) { return static_cast<double>(time.count()) / 1000; }

}  // namespace

void NcclWatchdog::watch() {
  auto written = Clock::now();
  try {
    options_.enter_thread();
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    return fail_device(error);
  }
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, kTick);
    if (stopping_) break;
    std::optional<Fault> fault;
    try {
      fault = find_fault();
    } catch (const std::exception& error) {
      return fail_device(error);
    }
    if (fault) {
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

/// No collective ends on a device that has failed. Call it with the lock.
void NcclWatchdog::fail_device(const std::exception& error) {
  failure_ = Problem{.what = "the device failed under a collective", .got = error.what()};
  changed_.notify_all();
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
    if (!group.calling && group.comm != nullptr && !nccl::is_error(group.error)) {
      library_.call().CommGetAsyncError(group.comm, &group.error);
    }
    FlightEntry last{.group = group.name, .sequence = group.next};
    if (!pending.empty()) last = pending.front().call;
    if (nccl::is_error(group.error)) return Fault{&group, last, false, group.error};
    if (!pending.empty() && pending.front().deadline < Clock::now()) {
      return Fault{&group, last, true, group.error};
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
    problem.got = fmt::format("{}; {}", library_.call().GetErrorString(fault.error), who);
  }
  problem.fix += folder.empty() ? "--parallel.flight-records DIR writes down what each has called"
                                : fmt::format("{} has what each called last", folder.string());
  return problem;
}

/// Aborts all communicators together: NCCL frees an aborted one once the device is idle, for which
/// the kernels of the others must have been told to end. False when it has not returned in time.
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
  const nccl::Functions& nccl = library_.call();
  std::vector<std::future<void>> aborts;
  const auto start = [&](const std::function<void()>& abort) {
    std::packaged_task<void()> task([enter = options_.enter_thread, abort] {
      enter();
      abort();
    });
    aborts.push_back(task.get_future());
    std::thread(std::move(task)).detach();
  };
  if (nccl.GroupStart != nullptr) {
    start([comms, nccl] {
      nccl.GroupStart();
      for (const nccl::Comm comm : comms) nccl.CommAbort(comm);
      nccl.GroupEnd();
    });
  } else {
    for (const nccl::Comm comm : comms) start([comm, nccl] { nccl.CommAbort(comm); });
  }
  const auto deadline = Clock::now() + std::min(kAbortWait, options_.timeout);
  return std::all_of(aborts.begin(), aborts.end(), [&](const std::future<void>& abort) {
    return abort.wait_until(deadline) == std::future_status::ready;
  });
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
