#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/thought_cache_key.h"
#include "runtime/error.h"
#include "runtime/hdf5.h"

namespace softcot {

/// How the rows of a cache are cut into blocks; block i holds the rows [i·block_rows, …).
struct ThoughtCacheLayout {
  ThoughtCacheKey key;
  std::int64_t block_rows = 64;  ///< ≥ 1; the last block may hold fewer.

  std::int64_t block_count() const { return (key.rows + block_rows - 1) / block_rows; }
  std::int64_t first_row(std::int64_t block) const { return block * block_rows; }
  std::int64_t rows_in(std::int64_t block) const {
    return std::min(block_rows, key.rows - first_row(block));
  }
};

/// Throws `code` naming `where` and the field unless all sizes are such as a cache may have. They
/// are far above any real one; below them no count of rows, blocks or elements of a row overflows,
/// and a list of all blocks is small.
void check_layout(const ThoughtCacheLayout& layout, ExitCode code, const std::string& where);

// Names inside a cache folder.
inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kIndexName = "index.h5";
inline constexpr const char* kLockName = "writer.lock";
std::string block_name(std::int64_t block);                        ///< "block-000012.h5"
std::optional<std::int64_t> block_index(const std::string& name);  ///< Inverse; nothing for others.

/// Publishes an HDF5 image behind a seal: 512 bytes of text (an HDF5 user block) with the size and
/// hash of all that follows, so that every byte of the file is proved before HDF5 parses any.
void write_sealed(const std::filesystem::path& path, std::span<const std::byte> image);

enum class SealCheck {
  kSize,      ///< Reads 512 bytes: finds truncation, not a changed byte.
  kContents,  ///< Reads the file once: finds any change.
};
/// Throws kCache naming the file when it is missing, cut short, or changed.
void check_seal(const std::filesystem::path& path, SealCheck depth);

/// Writes block `block` of `layout`. `thoughts` is [rows, N, A] in the key's type, little endian.
/// Appears whole or not at all; throws like AtomicFile.
void write_block_file(const std::filesystem::path& folder, const ThoughtCacheLayout& layout,
                      std::int64_t block, std::span<const std::byte> thoughts,
                      std::span<const std::uint64_t> row_ids);

/// The layout that a block file says it belongs to. The caller has checked the seal.
ThoughtCacheLayout read_block_layout(const std::filesystem::path& path);

/// A block open for reading.
class ThoughtBlock {
 public:
  /// Opens block `block` and checks that every key attribute, the row count, shapes, chunks and
  /// types are those of `layout`; throws kCache. The caller has checked the seal.
  static ThoughtBlock open(const std::filesystem::path& folder, const ThoughtCacheLayout& layout,
                           std::int64_t block);

  /// Of the thoughts' bytes and then the row ids', as written into the manifest.
  const std::string& data_hash() const { return data_hash_; }
  /// The same, computed from what the file holds now.
  std::string compute_data_hash() const;

  /// First `n` thoughts of row `row` (counted from the block's first): [n, A].
  template <typename T>
  void read_row(std::int64_t row, std::int64_t n, std::span<T> out) const {
    const auto width = static_cast<std::uint64_t>(thoughts_.shape()[2]);
    thoughts_.read<T>({static_cast<std::uint64_t>(row), 0, 0},
                      {1, static_cast<std::uint64_t>(n), width}, out);
  }
  std::uint64_t row_id(std::int64_t row) const;

 private:
  explicit ThoughtBlock(Hdf5File file);

  Hdf5File file_;
  Hdf5Dataset thoughts_;
  Hdf5Dataset row_ids_;
  std::string data_hash_;
};

}  // namespace softcot
