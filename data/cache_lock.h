#pragma once

#include <sys/types.h>

#include <filesystem>

namespace softcot {

/// The right to write into a cache folder, held by one job at a time: taken once per job (by rank
/// 0) and kept until the job has finished; its ranks then write as many blocks as they like.
///
/// The file `writer.lock` names host, process and start. Where the file system has locks it is also
/// locked, which ends with the process; elsewhere the names alone decide. A lock whose process is
/// dead on this host is taken over; one of another host is not, because nothing here can tell.
class CacheLock {
 public:
  /// Makes the folder where it is missing. Throws kCache naming the holder, host, process and since
  /// when; kUsage or kResources when the folder cannot be written.
  explicit CacheLock(const std::filesystem::path& folder);
  /// Removes the file, and the folder if it was made for this lock and nothing was written into it;
  /// does nothing in a forked child.
  ~CacheLock();
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  bool try_acquire();

  std::filesystem::path folder_;
  std::filesystem::path path_;
  pid_t owner_;
  bool made_;
  int descriptor_ = -1;
};

}  // namespace softcot
