#include "runtime/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/log.h"

namespace softcot {

namespace {

/// A call again while signals interrupt it.
auto retrying(const auto& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

int append_or_undo(int descriptor, std::uint64_t size, std::string_view bytes,
                   const std::filesystem::path& path) {
  const ssize_t written = retrying([&] { return write(descriptor, bytes.data(), bytes.size()); });
  if (written == static_cast<ssize_t>(bytes.size())) return 0;
  if (written < 0) return errno;
  if (retrying([&] { return ftruncate(descriptor, static_cast<off_t>(size)); }) != 0) {
    log_warning("{}: a torn line could not be cut off", path.string());
  }
  return ENOSPC;
}

bool append_to_file(const std::filesystem::path& path, std::string_view bytes) {
  const int descriptor =
      retrying([&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666); });
  if (descriptor < 0) return false;
  struct stat before {};
  const bool whole =
      fstat(descriptor, &before) == 0 &&
      append_or_undo(descriptor, static_cast<std::uint64_t>(before.st_size), bytes, path) == 0;
  // Some file systems report a failed write only here.
  return (close(descriptor) == 0 || errno == EINTR) && whole;
}

}  // namespace softcot
