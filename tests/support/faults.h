#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "runtime/error.h"

namespace softcot::test {

/// Lets no file grow past `bytes` for the length of a scope: writing on fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uint64_t bytes);
  ~FileSizeLimit();
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  std::uint64_t before_;
  void (*handler_before_)(int);
};

/// What `work` writes to standard error.
std::string captured_standard_error(const std::function<void()>& work);

/// Runs `work` in a child process and returns waitpid's status; the child exits 0 when it returns.
int status_of_child(const std::function<void()>& work);

/// The Error that `work` throws; fails the test (and returns a kOk Error) when it throws none.
Error error_of(const std::function<void()>& work);

}  // namespace softcot::test
