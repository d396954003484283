#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace softcot {

/// A regular file mapped read-only for as long as this object lives. Pages are read when touched
/// and shared by all processes of a machine. A file that is cut short by someone else while mapped
/// ends the process (SIGBUS): files in use are replaced by rename, never rewritten.
class MappedFile {
 public:
  /// Throws kInput when the file is missing, unreadable or not a regular file, kResources when the
  /// address space or file handles do not suffice.
  static MappedFile open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

  /// Asks for generous read-ahead, for one pass from start to end.
  void read_in_order() const;

  /// Takes all pages out of this process's resident memory. The contents stay valid: what is
  /// touched again is read again, as a rule from the system's cache.
  void release_pages() const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace softcot
