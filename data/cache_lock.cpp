#include "data/cache_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <sstream>
#include <thread>
#include <utility>

#include "data/thought_cache_block.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hidden_name.h"
#include "runtime/host_name.h"
#include "runtime/process_status.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRecordBytes = 512;
/// How long a lock that was taken over, or that flock does not protect, is left alone before it
/// counts: whoever was about to move it away has then done so and put it back.
constexpr std::chrono::milliseconds kSettle{300};

struct Holder {
  std::string host;
  pid_t pid = 0;
  std::string started;  // Ticks since boot: tells a process from a later one of its number.
  std::string since;
  std::string space;  // process_space(); empty in a record of an earlier version.
};

std::string record_of(const Holder& holder) {
  std::string text =
      fmt::format("{} {} {} {} {}\n", holder.host, holder.pid,
                  holder.started.empty() ? "?" : holder.started, holder.since, holder.space);
  text.resize(kRecordBytes, ' ');
  return text;
}

/// An unreadable record has no holder (pid 0).
Holder read_holder(int descriptor) {
  std::string text(kRecordBytes, '\0');
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  std::istringstream in(text);
  Holder holder;
  if (!(in >> holder.host >> holder.pid >> holder.started >> holder.since)) return {};
  in >> holder.space;
  return holder;
}

std::string describe(const Holder& holder) {
  return holder.pid > 0
             ? fmt::format("held by {}/{} since {}", holder.host, holder.pid, holder.since)
             : "held by a process that has not named itself yet";
}

/// A new file of this process, −1 where it cannot be made.
int make_file(const fs::path& path) {
  return open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

fs::path own_name(const fs::path& path) {
  static std::atomic<unsigned> count{0};
  return hidden_name(path, 1'000'000 + count++);  // Apart from those of AtomicFile.
}

/// Seconds since a file's heartbeat, by the clock of its file system: that of a file made now.
std::chrono::seconds silence_of(int descriptor, const fs::path& path) {
  const fs::path probe = own_name(path);
  const int now_descriptor = make_file(probe);
  if (now_descriptor < 0) fail_write(errno, path);
  struct stat then {};
  struct stat now {};
  const bool known = write(now_descriptor, "\n", 1) == 1 && fsync(now_descriptor) == 0 &&
                     fstat(now_descriptor, &now) == 0 && fstat(descriptor, &then) == 0;
  close(now_descriptor);
  unlink(probe.c_str());
  return std::chrono::seconds(known ? now.st_mtime - then.st_mtime : 0);
}

bool names_this_machine(const Holder& holder) {
  const std::string here = process_space();
  if (!holder.space.empty() && !here.empty()) return holder.space == here;
  return holder.host == host_name();
}

/// For a lock that flock did not refuse, which alone proves nothing about other machines.
bool may_be_alive(const Holder& holder, int descriptor, const fs::path& path) {
  if (holder.pid <= 0) return false;
  if (!names_this_machine(holder)) return silence_of(descriptor, path) < Heartbeat::kSilence;
  if (!process_is_alive(holder.pid)) return false;
  const std::string started = process_start(holder.pid);
  return started.empty() || holder.started == "?" || started == holder.started;
}

/// Gives a file a name that must be free. False where it is not.
bool publish_name(const fs::path& from, const fs::path& to) {
  if (link(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST || errno == ENOENT) return false;
  // A file system without hard links.
  std::error_code error;
  return !fs::exists(to, error) && rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace

CacheLock::CacheLock(const fs::path& folder, Unlocked)
    : folder_(folder), path_(folder / kLockName), owner_(getpid()), made_(!fs::exists(folder)) {}

CacheLock::CacheLock(const fs::path& folder) : CacheLock(folder, Unlocked{}) {
  if (acquire()) return;
  fail(
      ExitCode::kCache,
      {.what = "thought cache is being written by another job",
       .where = path_.string(),
       .got = holder_,
       .fix = fmt::format("wait for that job; a lock without a sign of life for {} s is taken over",
                          Heartbeat::kSilence.count())});
}

std::unique_ptr<CacheLock> CacheLock::try_take(const fs::path& folder, std::string& holder) {
  std::unique_ptr<CacheLock> lock(new CacheLock(folder, Unlocked{}));
  if (lock->acquire()) return lock;
  holder = lock->holder_;
  return nullptr;
}

bool CacheLock::acquire() {
  make_folder(folder_);
  Attempt result = Attempt::kAgain;
  while (result == Attempt::kAgain) result = attempt();
  if (result == Attempt::kHeld) return false;
  remove_abandoned(folder_);  // Also what writers of this file left that were killed.
  removed_on_signal_.emplace(descriptor_, path_);
  heartbeat_.emplace(descriptor_);
  return true;
}

CacheLock::Attempt CacheLock::attempt() {
  const Attempt present = look_at_present();
  return present == Attempt::kHeld ? present : publish();
}

CacheLock::Attempt CacheLock::look_at_present() {
  int present = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (present < 0 && errno == EACCES) present = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (present < 0 && errno == ENOENT) return Attempt::kAgain;
  if (present < 0) fail_write(errno, path_);
  const bool refused = flock(present, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const Holder holder = read_holder(present);
  Attempt result = Attempt::kAgain;
  try {
    if (refused || (is_file_at(present, path_) && may_be_alive(holder, present, path_))) {
      result = Attempt::kHeld;
      holder_ = describe(holder);
    } else if (is_file_at(present, path_)) {
      took_over_ = remove_stale(present) || took_over_;
    }
  } catch (...) {
    close(present);
    throw;
  }
  close(present);
  return result;
}

bool CacheLock::remove_stale(int descriptor) const {
  const fs::path aside = own_name(path_);
  // One of several processes moves this very file.
  if (rename(path_.c_str(), aside.c_str()) != 0) {
    if (errno == ENOENT) return false;
    fail_write(errno, path_);
  }
  const bool stale = is_file_at(descriptor, aside);
  // Else another process has taken the lock over meanwhile, and this file is its own.
  if (!stale) publish_name(aside, path_);
  unlink(aside.c_str());
  return stale;
}

/// Under its name the file is whole and locked from the first moment on.
CacheLock::Attempt CacheLock::publish() {
  const fs::path own = own_name(path_);
  descriptor_ = make_file(own);
  if (descriptor_ < 0 && errno == ENOENT) {  // Its last holder has just removed the folder.
    make_folder(folder_);
    made_ = true;
    return Attempt::kAgain;
  }
  if (descriptor_ < 0) fail_write(errno, path_);
  const bool locked = flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  const std::string record = record_of(
      {host_name(), owner_, process_start(owner_),
       fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))), process_space()});
  const ssize_t written = pwrite(descriptor_, record.data(), record.size(), 0);
  if (written != static_cast<ssize_t>(record.size()) || fsync(descriptor_) != 0) {
    const int reason =
        written >= 0 && written < static_cast<ssize_t>(record.size()) ? ENOSPC : errno;
    unlink(own.c_str());
    close_descriptor();
    fail_write(reason, path_);
  }
  bool taken = publish_name(own, path_);
  unlink(own.c_str());
  if (taken && (took_over_ || !locked)) {
    std::this_thread::sleep_for(kSettle);
    taken = is_file_at(descriptor_, path_);
  }
  if (!taken) close_descriptor();
  return taken ? Attempt::kTaken : Attempt::kAgain;
}

void CacheLock::close_descriptor() { close(std::exchange(descriptor_, -1)); }

CacheLock::~CacheLock() {
  heartbeat_.reset();
  removed_on_signal_.reset();
  if (descriptor_ < 0) return;
  if (getpid() == owner_ && is_file_at(descriptor_, path_)) {
    unlink(path_.c_str());
    if (made_) rmdir(folder_.c_str());  // Succeeds only when nothing was written into it.
  }
  close(descriptor_);
}

}  // namespace softcot
