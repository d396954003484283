#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace softcot {

/// A file that appears under its name whole and durable, or not at all: the bytes go to a hidden
/// name in the same folder, are synced, renamed, and the folder is synced. The first file of a
/// process in a folder removes from it what dead writers left (remove_abandoned). Local; one
/// thread. A full disk or quota throws kResources; a folder that is missing, read-only or forbidden
/// throws kUsage; both name the file. What stood under the name before stays until `commit`
/// succeeds.
class AtomicFile {
 public:
  /// Makes the hidden file; the folder of `path` must be there.
  explicit AtomicFile(std::filesystem::path path);
  /// Removes the hidden file unless committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  std::uint64_t size() const { return size_; }

  /// Publishes the file. Nothing may be written after. Throws as the constructor does, and then the
  /// name holds what it held before (or, if only the sync of the folder failed, the new file).
  void commit();

 private:
  void flush();
  void discard() noexcept;

  std::filesystem::path path_;
  std::filesystem::path hidden_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string buffer_;
};

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// The whole file. Throws kInput when it is missing, unreadable, not a regular file, or larger than
/// `max_bytes` (nothing is then read).
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

/// A stream of a regular file, not open where there is none: a pipe of that name would hang the
/// run.
std::ifstream open_regular(const std::filesystem::path& path);

/// Makes a folder and those above it; one that is there already is no error. Throws like
/// AtomicFile.
void make_folder(const std::filesystem::path& path);

/// Whether an open file still stands under that name: it may have been removed or replaced since it
/// was opened. Locks on files that others may remove ask this once they have them.
bool is_file_at(int descriptor, const std::filesystem::path& path);

/// Makes the names in a folder durable. File systems that cannot sync a folder are no error.
void fsync_folder(const std::filesystem::path& path);

/// Throws the Error for a failed write at `path`: kResources when space, quota, handles or memory
/// ran out or the device failed; kUsage when the place cannot be written at all.
[[noreturn]] void fail_write(int error_number, const std::filesystem::path& path);

}  // namespace softcot
