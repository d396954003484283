#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace softcot {

/// While this object lives, a thread of its own sets the time of an open file to now, once per
/// `interval`, in the clock of the file system: processes on other machines see that this one is
/// alive. The descriptor must stay open. In a forked child it does nothing.
class Heartbeat {
 public:
  static constexpr std::chrono::seconds kInterval{5};
  /// A file whose heartbeat was silent for this long belongs to a process that has ended.
  static constexpr std::chrono::seconds kSilence{60};

  explicit Heartbeat(int descriptor, std::chrono::milliseconds interval = kInterval);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void run(int descriptor, std::chrono::milliseconds interval);

  const int owner_;  // The process that has the thread.
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::optional<std::thread> thread_;
};

}  // namespace softcot
