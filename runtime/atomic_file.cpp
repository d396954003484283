#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/error.h"
#include "runtime/fault_point.h"
#include "runtime/hidden_name.h"

namespace softcot {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr int kNameAttempts = 100;

/// Closes a descriptor at the end of a scope.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int number = -1;
  do {
    number = open(path, flags | O_CLOEXEC, mode);
  } while (number < 0 && errno == EINTR);
  return number;
}

std::string words(int error_number) { return std::generic_category().message(error_number); }

std::string shown(const std::filesystem::path& path) { return path.string(); }

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

unsigned next_count() {
  static std::atomic<unsigned> count{0};
  return count++;
}

/// Once for each folder that this process writes into.
void tidy_once(const std::filesystem::path& folder) {
  static std::mutex mutex;
  static std::set<std::filesystem::path> tidied;
  const std::lock_guard lock(mutex);
  if (tidied.insert(std::filesystem::absolute(folder)).second) remove_abandoned(folder);
}

}  // namespace

void fail_write(int error_number, const std::filesystem::path& path) {
  const auto problem = [&](const char* what, const char* fix) {
    return Problem{.what = what, .where = shown(path), .got = words(error_number), .fix = fix};
  };
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      fail(ExitCode::kResources,
           problem("no space left to write", "free space or choose another output folder"));
    case EFBIG:
      fail(ExitCode::kResources,
           problem("file grew past the size limit", "raise the limit (ulimit -f)"));
    case EMFILE:
    case ENFILE:
      fail(ExitCode::kResources, problem("too many open files", "raise the limit (ulimit -n)"));
    case EROFS:
    case EACCES:
    case EPERM:
      fail(ExitCode::kUsage,
           problem("output cannot be written", "choose an output folder you may write to"));
    case ENOENT:
      fail(ExitCode::kUsage, problem("output folder is missing", "make it, or choose another"));
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY:
    case EEXIST:
      fail(ExitCode::kUsage,
           problem("output has the name of something else", "move that away or choose another"));
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL:
      fail(ExitCode::kUsage, problem("output path is not usable", "choose another"));
    default:
      fail(ExitCode::kResources, problem("output could not be written", ""));
  }
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  tidy_once(folder_of(path_));
  // A process of the same number, gone since, may have taken some names.
  for (int attempt = 0; attempt < kNameAttempts && descriptor_ < 0; ++attempt) {
    hidden_ = hidden_name(path_, next_count());
    descriptor_ = open_retrying(hidden_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) {
    hidden_.clear();  // not ours to remove
    fail_write(errno, path_);
  }
  fault_point("atomic-file.opened");
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
  if (!hidden_.empty()) unlink(hidden_.c_str());
  hidden_.clear();
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::write(std::string_view text) {
  size_ += text.size();
  while (!text.empty()) {
    const std::size_t part = std::min(text.size(), kBufferBytes - buffer_.size());
    buffer_.append(text.substr(0, part));
    text.remove_prefix(part);
    if (buffer_.size() == kBufferBytes) flush();
  }
}

void AtomicFile::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    errno = 0;
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      fail_write(errno, path_);
    }
  }
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  fault_point("atomic-file.written");
  if (fsync(descriptor_) != 0) fail_write(errno, path_);
  fault_point("atomic-file.synced");
  // Some file systems report a failed write only here.
  if (close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail_write(errno, path_);
  if (rename(hidden_.c_str(), path_.c_str()) != 0) fail_write(errno, path_);
  hidden_.clear();
  fault_point("atomic-file.renamed");
  fsync_folder(folder_of(path_));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const auto give_up = [&](const char* what, const std::string& got) {
    fail(ExitCode::kInput, {.what = what, .where = shown(path), .got = got});
  };
  // O_NONBLOCK: a pipe of that name must not hang the run.
  const Descriptor file{open_retrying(path.c_str(), O_RDONLY | O_NONBLOCK)};
  if (file.number < 0) give_up("file cannot be opened", words(errno));
  struct stat info {};
  if (fstat(file.number, &info) != 0) give_up("file cannot be read", words(errno));
  if (!S_ISREG(info.st_mode)) give_up("not a regular file", "a folder or device");
  const auto too_large = [&](std::uint64_t size) {
    fail(ExitCode::kInput, {.what = "file is too large",
                            .where = shown(path),
                            .expected = fmt::format("at most {} bytes", max_bytes),
                            .got = fmt::format("{}", size)});
  };
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) {
    too_large(static_cast<std::uint64_t>(info.st_size));
  }
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(file.number, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) give_up("file cannot be read", words(errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);  // a file that shrank meanwhile
  return bytes;
}

std::ifstream open_regular(const std::filesystem::path& path) {
  std::error_code ignored;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, ignored)) file.open(path, std::ios::binary);
  return file;
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::vector<std::filesystem::path> parents_of_new;
  auto missing = std::filesystem::absolute(path, error);
  while (!std::filesystem::exists(missing, error) && missing.has_relative_path()) {
    missing = missing.parent_path();
    parents_of_new.push_back(missing);
  }
  error.clear();
  std::filesystem::create_directories(path, error);
  if (error) fail_write(error.value(), path);
  if (!std::filesystem::is_directory(path, error)) fail_write(ENOTDIR, path);
  for (const auto& parent : parents_of_new) fsync_folder(parent);
}

bool is_file_at(int descriptor, const std::filesystem::path& path) {
  struct stat mine {};
  struct stat there {};
  return fstat(descriptor, &mine) == 0 && stat(path.c_str(), &there) == 0 &&
         mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

void fsync_folder(const std::filesystem::path& path) {
  const Descriptor folder{open_retrying(path.c_str(), O_RDONLY | O_DIRECTORY)};
  if (folder.number < 0) fail_write(errno, path);
  if (fsync(folder.number) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) {
    fail_write(errno, path);
  }
}

}  // namespace softcot
