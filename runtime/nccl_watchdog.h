#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/error.h"
#include "runtime/flight_record.h"
#include "runtime/nccl_library.h"

namespace softcot {

/// The NCCL communicators of this process, and a thread that watches every collective until the
/// device has done it. A collective that takes longer than the timeout, or an error that NCCL
/// reports, is written down with the ranks that did not come; then all communicators are aborted
/// together, and the next call of the owner's thread throws kPeer. Where the abort does not return,
/// or the owner's thread does not come back, the watchdog says it itself and ends the process
/// with 8.
class NcclWatchdog {
 public:
  struct Options {
    int rank = 0;                            ///< In the world.
    std::chrono::milliseconds timeout{};     ///< Of a collective, and of a communicator's making.
    std::filesystem::path flight_records{};  ///< Seen by all ranks; empty for none.
    /// Called first in every thread that the watchdog starts: makes the rank's device current.
    std::function<void()> enter_thread = [] {};
  };

  /// `library` must outlive it.
  NcclWatchdog(const NcclLibrary& library, Options options);
  ~NcclWatchdog();
  NcclWatchdog(const NcclWatchdog&) = delete;
  NcclWatchdog& operator=(const NcclWatchdog&) = delete;

  /// One communicator: valid from open() to close().
  struct Group;

  /// Makes the communicator over these world ranks, of which this is number `rank`. Collective over
  /// them. This and all that follows is for the owner's thread alone and throws kPeer as above.
  Group& open(const std::string& name, const std::vector<int>& ranks, int rank,
              const nccl::UniqueId& id);
  /// Frees it, unless an exception is on its way: then the process ends before long anyway, and
  /// nobody shall wait for it. Never throws.
  void close(Group& group) noexcept;

  /// Gives one collective to NCCL: `start` makes the call; `queued`, once NCCL has taken it,
  /// returns the question whether the device has done it.
  void run(Group& group, FlightEntry entry, const std::function<nccl::Result(nccl::Comm)>& start,
           const std::function<std::function<bool()>()>& queued);

  /// Throws when the communicators have failed.
  void check();
  /// Waits until the device has done all that it was given.
  void drain();

  const NcclLibrary& library() const { return library_; }
  const std::filesystem::path& flight_records() const { return record_.folder(); }

 private:
  using Clock = std::chrono::steady_clock;
  /// How often the thread looks.
  static constexpr std::chrono::milliseconds kTick{50};

  struct Fault {
    Group* group;
    FlightEntry call;
    bool timed_out;
    nccl::Result error;
  };

  nccl::Result call(Group& group, const std::function<nccl::Result()>& function);
  nccl::Result settle(Group& group, nccl::Result result);
  void usable_or_throw(std::unique_lock<std::mutex>& lock);

  void watch();
  void fail_device(const std::exception& error);
  std::optional<Fault> find_fault();
  Problem describe(const Fault& fault) const;
  bool abort_all();
  void end_badly(const Fault& fault);
  [[noreturn]] void end_process(const Problem& problem) const;

  const NcclLibrary& library_;
  Options options_;
  std::chrono::milliseconds period_;  // Between two writings of the record.
  FlightRecord record_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Group> groups_;
  bool aborting_ = false;  // From now on the watchdog alone calls NCCL.
  bool stopping_ = false;
  std::optional<Problem> failure_;
  std::thread thread_;
};

struct NcclWatchdog::Group {
  struct Pending {
    FlightEntry call;
    Clock::time_point deadline;
    std::function<bool()> done;  ///< Empty until NCCL has taken it.
  };
  std::string name;
  std::vector<int> ranks;
  int rank = 0;
  nccl::Comm comm = nullptr;
  std::uint64_t next = 0;  ///< Sequence number.
  std::deque<Pending> pending;
  bool calling = false;  ///< The owner's thread is inside of NCCL.
  nccl::Result error = nccl::kSuccess;
};

}  // namespace softcot
