#include "launch/standard_output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/error.h"

namespace softcot {

void write_standard_output(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw OutputClosed();
    } else if (errno != EINTR) {
      fail(ExitCode::kResources, {.what = "standard output cannot be written",
                                  .got = std::strerror(errno),
                                  .fix = "free space where it is sent to"});
    }
  }
}

}  // namespace softcot
