#include "launch/standard_output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "runtime/error.h"

namespace softcot {
namespace {

/// The file that standard output is sent to, as the log of a sweep's cell; empty if it is none.
std::string file_behind() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/fd/1", error);
  return !error && std::filesystem::is_regular_file(path, error) ? path.string() : "";
}

}  // namespace

void write_standard_output(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw OutputClosed();
    } else if (errno != EINTR) {
      const std::string reason = std::strerror(errno);
      fail(ExitCode::kResources, {.what = "standard output cannot be written",
                                  .where = file_behind(),
                                  .got = reason,
                                  .fix = "free space where it is sent to"});
    }
  }
}

}  // namespace softcot
