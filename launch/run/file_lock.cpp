#include "launch/run/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "runtime/atomic_file.h"
#include "runtime/host_name.h"
#include "runtime/log.h"

namespace softcot {

FileLock::FileLock(const std::filesystem::path& path)
    : path_(path), descriptor_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail_write(errno, path);
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool FileLock::lock(int operation) {
  if (flock(descriptor_, operation) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  log_warning("{}: this file system has no locks, so two jobs could write here at once",
              path_.string());
  return true;
}

/// The file may have been removed between its opening and the lock, which then excludes nobody.
bool FileLock::reopened_if_removed() {
  if (is_file_at(descriptor_, path_)) return false;
  *this = FileLock(path_);
  return true;
}

void FileLock::name_holder() {
  const std::string holder = fmt::format("host {}, process {}", host_name(), getpid());
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, holder.data(), holder.size(), 0) < 0) {
    fail_write(errno, path_);
  }
}

std::optional<FileLock> FileLock::try_take(const std::filesystem::path& path, Kind kind) {
  const int operation = kind == Kind::kShared ? LOCK_SH : LOCK_EX;
  FileLock lock(path);
  do {
    if (!lock.lock(operation | LOCK_NB)) return std::nullopt;
  } while (lock.reopened_if_removed());
  lock.name_holder();
  return lock;
}

FileLock FileLock::take_or_refuse(const std::filesystem::path& path, Problem refusal) {
  if (auto lock = try_take(path)) return std::move(*lock);
  refusal.got = holder(path);
  fail(ExitCode::kUsage, std::move(refusal));
}

FileLock FileLock::take(const std::filesystem::path& path) {
  FileLock lock(path);
  do {
    lock.lock(LOCK_EX);
  } while (lock.reopened_if_removed());
  lock.name_holder();
  return lock;
}

void FileLock::share() { lock(LOCK_SH); }

void FileLock::outlast_others() { lock(LOCK_EX); }

std::string FileLock::holder(const std::filesystem::path& path) {
  std::string text;
  std::ifstream file(path);
  return std::getline(file, text) && !text.empty() ? "held by " + text : "held by another job";
}

}  // namespace softcot
