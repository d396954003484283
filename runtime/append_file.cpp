#include "runtime/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/log.h"

namespace softcot {

bool append_to_file(const std::filesystem::path& path, std::string_view bytes) {
  const auto retrying = [](const auto& call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
  };
  const int descriptor =
      retrying([&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666); });
  if (descriptor < 0) return false;
  struct stat before {};
  bool whole = fstat(descriptor, &before) == 0;
  if (whole) {
    const ssize_t written = retrying([&] { return write(descriptor, bytes.data(), bytes.size()); });
    whole = written == static_cast<ssize_t>(bytes.size());
    if (written > 0 && !whole &&
        retrying([&] { return ftruncate(descriptor, before.st_size); }) != 0) {
      log_warning("{}: a torn record could not be cut off", path.string());
    }
  }
  // Some file systems report a failed write only here.
  return (close(descriptor) == 0 || errno == EINTR) && whole;
}

}  // namespace softcot
