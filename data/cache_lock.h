#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "runtime/heartbeat.h"
#include "runtime/removed_on_signal.h"

namespace softcot {

/// In the log line of a job that waits for another one, before what is known of that.
inline constexpr const char* kWaitingForCache = "waits for another job to fill this cache: ";

/// The right to write into a cache folder, held by one job at a time: taken once per job (by rank
/// 0) and kept until the job has finished; its ranks then write as many blocks as they like.
///
/// The file `writer.lock` names host, process and start, and its time is renewed every 5 s
/// (Heartbeat). It goes with this object, and with TERM, INT, HUP, USR1 or USR2 (RemovedOnSignal).
/// What a killed job leaves is taken over: at once where nobody has it locked (flock) and this
/// machine has no such process; where another machine is named, once the time was not renewed for
/// 60 s in the file system's own clock. Of several that take it over at once, one gets it.
class CacheLock {
 public:
  /// Makes the folder where it is missing. Throws kCache naming the holder, host, process and since
  /// when; kUsage or kResources when the folder cannot be written.
  explicit CacheLock(const std::filesystem::path& folder);
  /// The same, but nothing where another job holds it: then `holder` says who.
  static std::unique_ptr<CacheLock> try_take(const std::filesystem::path& folder,
                                             std::string& holder);
  /// Removes the file, and the folder if it was made for this lock and nothing was written into it;
  /// does nothing in a forked child.
  ~CacheLock();
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  enum class Attempt { kTaken, kHeld, kAgain };
  struct Unlocked {};

  CacheLock(const std::filesystem::path& folder, Unlocked);
  /// Whether it is taken now; else holder_ says by whom.
  bool acquire();
  Attempt attempt();
  /// Looks at the lock that is there. kAgain: nothing is in the way (any more).
  Attempt look_at_present();
  /// Moves a dead job's file away. False where another process has done so.
  bool remove_stale(int descriptor) const;
  Attempt publish();
  void close_descriptor();

  std::filesystem::path folder_;
  std::filesystem::path path_;
  pid_t owner_;
  bool made_;
  bool took_over_ = false;
  int descriptor_ = -1;
  std::string holder_;
  std::optional<RemovedOnSignal> removed_on_signal_;
  std::optional<Heartbeat> heartbeat_;
};

}  // namespace softcot
