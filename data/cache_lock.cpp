#include "data/cache_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <sstream>
#include <string>
#include <thread>

#include "data/thought_cache_block.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/host_name.h"
#include "runtime/process_status.h"

namespace softcot {
namespace {

// A record of one fixed size: two writers can replace each other's, never mix.
constexpr std::size_t kRecordBytes = 512;

struct Holder {
  std::string host;
  pid_t pid = 0;
  std::string
      started;  // In the kernel's ticks since boot: tells a process from a later one of its id.
  std::string since;
};

std::string record_of(const Holder& holder) {
  std::string text = fmt::format("{} {} {} {}\n", holder.host, holder.pid,
                                 holder.started.empty() ? "?" : holder.started, holder.since);
  text.resize(kRecordBytes, ' ');
  return text;
}

std::string read_record(int descriptor) {
  std::string text(kRecordBytes, '\0');
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

/// A record that cannot be read names nobody: its writer died before it was whole.
Holder holder_of(const std::string& record) {
  Holder holder;
  std::istringstream in(record);
  in >> holder.host >> holder.pid >> holder.started >> holder.since;
  return in ? holder : Holder{};
}

bool may_be_alive(const Holder& holder) {
  if (holder.pid <= 0) return false;
  if (holder.host != host_name()) return true;
  if (!process_is_alive(holder.pid)) return false;
  const std::string started = process_start(holder.pid);
  return started.empty() || holder.started == "?" || started == holder.started;
}

[[noreturn]] void fail_held(const std::filesystem::path& path, const Holder& holder) {
  const std::string who =
      holder.pid > 0 ? fmt::format("held by {}/{} since {}", holder.host, holder.pid, holder.since)
                     : "held by a process that has not named itself yet";
  fail(ExitCode::kCache, {.what = "thought cache is being written by another job",
                          .where = path.string(),
                          .got = who,
                          .fix = "wait for that job; if it is gone, delete this file"});
}

}  // namespace

CacheLock::CacheLock(const std::filesystem::path& folder)
    : folder_(folder),
      path_(folder / kLockName),
      owner_(getpid()),
      made_(!std::filesystem::exists(folder)) {
  make_folder(folder_);
  try {
    while (!try_acquire()) {
      // The holder removed the file between our open and our lock: another round.
    }
  } catch (...) {
    if (descriptor_ >= 0) close(descriptor_);
    throw;
  }
}

bool CacheLock::try_acquire() {
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0 && errno == ENOENT) {  // its last holder has just removed the folder
    make_folder(folder_);
    made_ = true;
    return false;
  }
  if (descriptor_ < 0) fail_write(errno, path_);
  const bool locked = flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  if (!locked && errno == EWOULDBLOCK) fail_held(path_, holder_of(read_record(descriptor_)));
  if (!is_file_at(descriptor_, path_)) {
    close(std::exchange(descriptor_, -1));
    return false;
  }
  const Holder holder = holder_of(read_record(descriptor_));
  if (may_be_alive(holder)) fail_held(path_, holder);

  const std::string record =
      record_of({host_name(), owner_, process_start(owner_),
                 fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))});
  const ssize_t written = pwrite(descriptor_, record.data(), record.size(), 0);
  if (written != static_cast<ssize_t>(record.size())) {
    fail_write(written < 0 ? errno : ENOSPC, path_);
  }
  if (fsync(descriptor_) != 0) fail_write(errno, path_);
  if (!locked) {
    // Without locks the last of several to write wins, and each looks again after all have written.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::string now = read_record(descriptor_);
    if (now != record) fail_held(path_, holder_of(now));
  }
  return true;
}

CacheLock::~CacheLock() {
  if (getpid() == owner_ && is_file_at(descriptor_, path_)) {
    unlink(path_.c_str());
    if (made_) rmdir(folder_.c_str());  // succeeds only when nothing was written into it
  }
  close(descriptor_);
}

}  // namespace softcot
