#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "runtime/error.h"

namespace softcot {

/// The right to something that a lock file stands for. It ends with this object, or with the last
/// process that inherited its descriptor, whatever becomes of either. The file stays; only who has
/// the exclusive lock may remove it. On a file system without locks everybody gets it, with a
/// warning.
class FileLock {
 public:
  enum class Kind { kExclusive, kShared };

  /// Nothing when others hold it in a way that excludes this one. Else the file names this
  /// process. Throws as fail_write.
  static std::optional<FileLock> try_take(const std::filesystem::path& path,
                                          Kind kind = Kind::kExclusive);
  /// The exclusive lock. Where others hold it, throws kUsage with `refusal`, which then says who.
  static FileLock take_or_refuse(const std::filesystem::path& path, Problem refusal);
  /// The exclusive lock, waited for.
  static FileLock take(const std::filesystem::path& path);
  /// "held by host a, process 12": the last that the file names.
  static std::string holder(const std::filesystem::path& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  /// Makes an exclusive lock a shared one.
  void share();
  /// Makes a shared lock the only one: waits until all others who share it have ended.
  void outlast_others();

  /// Closed in programs that this process starts, unless they are given it.
  int descriptor() const { return descriptor_; }

 private:
  explicit FileLock(const std::filesystem::path& path);
  bool lock(int operation);
  bool reopened_if_removed();
  void name_holder();

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace softcot
