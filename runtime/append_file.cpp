#include "runtime/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/log.h"

namespace softcot {

bool append_to_file(const std::filesystem::path& path, std::string_view bytes) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return false;
  struct stat before {};
  bool whole = fstat(descriptor, &before) == 0;
  if (whole) {
    ssize_t written = 0;
    do {
      written = write(descriptor, bytes.data(), bytes.size());
    } while (written < 0 && errno == EINTR);
    whole = written == static_cast<ssize_t>(bytes.size());
    if (!whole && ftruncate(descriptor, before.st_size) != 0) {
      log_warning("{}: a torn record could not be cut off", path.string());
    }
  }
  close(descriptor);
  return whole;
}

}  // namespace softcot
