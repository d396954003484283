#include "runtime/work_folder.h"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "runtime/atomic_file.h"

namespace softcot {

namespace fs = std::filesystem;

WorkFolder::WorkFolder(fs::path hidden) : path_(std::move(hidden)) {
  remove();
  try {
    make_folder(path_);
  } catch (...) {
    remove();  // It may be there, and its parent not be synced.
    throw;
  }
}

WorkFolder::~WorkFolder() { remove(); }

void WorkFolder::publish(const fs::path& target) const {
  if (rename(path_.c_str(), target.c_str()) == 0) return;
  if (errno != ENOTEMPTY && errno != EEXIST) fail_write(errno, target);
  // The two change places, and the old one goes with this object.
  if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  // A file system that cannot exchange: the old one has to go first.
  std::error_code error;
  fs::remove_all(target, error);
  if (error) fail_write(error.value(), target);
  if (rename(path_.c_str(), target.c_str()) != 0) fail_write(errno, target);
}

void WorkFolder::remove() const noexcept {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace softcot
