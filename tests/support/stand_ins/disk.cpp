// A disk that fails when it is told to, put before the C library with LD_PRELOAD.
//
//   SOFTCOT_TEST_DISK=WHICH#K:WHAT:FOLDER   at the K-th call of WHICH (open, write, sync, rename,
//   lock
//                          or any of the first four and of mkdir, unlink and truncate) that changes
//                          something below FOLDER, and with "#K+" at all later ones too, WHAT
//                          happens: "kill" (as in a power cut, before the call), "half" (a write
//                          puts down half of its bytes, then fails), "slow MS" (it takes so many
//                          milliseconds more, or until a signal comes) or it fails with the error
//                          number given.
//   SOFTCOT_TEST_DISK_LOG=FILE   gets a line when it happens for the first time and, at the end of
//                          the process, the number of calls.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Fault {
  std::string which;
  std::string what;
  std::string folder;
  long first = 0;
  bool and_later = false;
};

const Fault& fault() {
  static const Fault chosen = [] {
    Fault read;
    const char* text = std::getenv("SOFTCOT_TEST_DISK");
    if (text == nullptr) return read;
    const std::string all = text;
    const std::size_t mark = all.find('#');
    const std::size_t colon = all.find(':');
    const std::size_t second = all.find(':', colon + 1);
    read.which = all.substr(0, mark);
    read.first = std::atol(all.c_str() + mark + 1);
    read.and_later = all[colon - 1] == '+';
    read.what = all.substr(colon + 1, second - colon - 1);
    read.folder = all.substr(second + 1) + "/";
    return read;
  }();
  return chosen;
}

std::atomic<long> calls{0};

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void log_line(const std::string& line) {
  const char* file = std::getenv("SOFTCOT_TEST_DISK_LOG");
  if (file == nullptr) return;
  const long log =
      syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return;
  syscall(SYS_write, log, line.data(), line.size());
  syscall(SYS_close, log);
}

struct AtEnd {
  ~AtEnd() {
    if (calls > 0) log_line("calls " + std::to_string(calls) + "\n");
  }
} at_end;

enum class Verdict { kGoOn, kFail, kHalf };

/// What becomes of a call; of kFail errno is set.
Verdict verdict(const char* call, const char* path, bool counts_as_any = true) {
  const Fault& told = fault();
  if (told.folder.empty() || path == nullptr ||
      std::string(path).compare(0, told.folder.size(), told.folder) != 0) {
    return Verdict::kGoOn;
  }
  if (told.which != call && !(told.which == "any" && counts_as_any)) return Verdict::kGoOn;
  const long number = ++calls;
  if (number != told.first && !(told.and_later && number > told.first)) return Verdict::kGoOn;
  if (number == told.first) log_line("fault " + std::string(call) + " " + path + "\n");
  if (told.what == "kill") raise(SIGKILL);
  if (told.what.compare(0, 5, "slow ") == 0) {
    usleep(1000 * std::atoi(told.what.c_str() + 5));
    return Verdict::kGoOn;
  }
  errno = ENOSPC;
  if (told.what == "half") return Verdict::kHalf;
  errno = std::atoi(told.what.c_str());
  return Verdict::kFail;
}

Verdict verdict_of(const char* call, int descriptor, bool counts_as_any = true) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof path - 1);
  path[size > 0 ? size : 0] = '\0';
  return verdict(call, path, counts_as_any);
}

/// Where a call names a file beside an open folder, as removing a tree does.
std::string path_at(int folder, const char* path) {
  if (folder == AT_FDCWD || path[0] == '/') return path;
  char base[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(folder);
  const ssize_t size = readlink(link.c_str(), base, sizeof base - 1);
  return std::string(base, size > 0 ? size : 0) + "/" + path;
}

bool writes(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0; }

/// open and open64, which are one on 64-bit systems.
int open_file(const char* path, int flags, va_list rest) {
  const mode_t mode = (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(rest, int)) : 0;
  if (writes(flags) && verdict("open", path) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const int descriptor = open_file(path, flags, rest);
  va_end(rest);
  return descriptor;
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const int descriptor = open_file(path, flags, rest);
  va_end(rest);
  return descriptor;
}

FILE* fopen(const char* path, const char* mode) {
  static const auto next = real<FILE* (*)(const char*, const char*)>("fopen");
  if (strpbrk(mode, "wa+") != nullptr && verdict("open", path) != Verdict::kGoOn) return nullptr;
  return next(path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  static const auto next = real<FILE* (*)(const char*, const char*)>("fopen64");
  if (strpbrk(mode, "wa+") != nullptr && verdict("open", path) != Verdict::kGoOn) return nullptr;
  return next(path, mode);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  switch (verdict_of("write", descriptor)) {
    case Verdict::kFail:
      return -1;
    case Verdict::kHalf:
      return size < 2 ? -1 : syscall(SYS_write, descriptor, bytes, size / 2);
    default:
      return syscall(SYS_write, descriptor, bytes, size);
  }
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  switch (verdict_of("write", descriptor)) {
    case Verdict::kFail:
      return -1;
    case Verdict::kHalf:
      return syscall(SYS_write, descriptor, parts[0].iov_base, parts[0].iov_len / 2);
    default:
      return syscall(SYS_writev, descriptor, parts, count);
  }
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  if (verdict_of("write", descriptor) != Verdict::kGoOn) return -1;
  return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}

int fsync(int descriptor) {
  if (verdict_of("sync", descriptor) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

int ftruncate(int descriptor, off_t size) {
  if (verdict_of("truncate", descriptor) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_ftruncate, descriptor, size));
}

int rename(const char* from, const char* to) {
  if (verdict("rename", to) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned int flags) {
  if (verdict("rename", to) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

int mkdir(const char* path, mode_t mode) {
  if (verdict("mkdir", path) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int unlink(const char* path) {
  if (verdict("unlink", path) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int unlinkat(int folder, const char* path, int flags) {
  if (verdict("unlink", path_at(folder, path).c_str()) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, folder, path, flags));
}

int remove(const char* path) {
  static const auto next = real<int (*)(const char*)>("remove");
  if (verdict("unlink", path) != Verdict::kGoOn) return -1;
  return next(path);
}

int flock(int descriptor, int operation) {
  if (verdict_of("lock", descriptor, /*counts_as_any=*/false) != Verdict::kGoOn) return -1;
  return static_cast<int>(syscall(SYS_flock, descriptor, operation));
}

}  // extern "C"
