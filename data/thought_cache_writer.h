#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "data/cache_lock.h"
#include "data/thought_cache_block.h"

namespace softcot {

/// Fills a cache folder block by block. Every rank of a job makes its own writer and writes
/// different blocks, at once and in any order; the rank that holds the job's CacheLock asks first
/// for the missing blocks and finishes last. Killed at any time, the next job redoes only what is
/// missing.
class ThoughtCacheWriter {
 public:
  /// Makes the folder where it is missing. Throws kCache for a finished cache of another key,
  /// naming the field that differs, and kInternal for a key out of range or `block_rows` < 1.
  ThoughtCacheWriter(std::filesystem::path folder, const ThoughtCacheKey& key,
                     std::int64_t block_rows = 64);

  /// Whether a folder holds the finished cache of this key, every byte of it sound. Writes
  /// nothing and needs no lock. Throws kCache as the constructor, and for blocks of another key.
  static bool is_complete(const std::filesystem::path& folder, const ThoughtCacheKey& key,
                          std::int64_t block_rows = 64);

  const ThoughtCacheLayout& layout() const { return layout_; }

  /// Which blocks must be written, in order. Drops what dead writers left and blocks that are
  /// damaged (as far as their first 512 bytes, size and metadata tell); where any is missing the
  /// cache is no longer a finished one. Throws kCache for blocks of another key or block size. Call
  /// it before any rank of the job writes.
  std::vector<std::int64_t> missing_blocks(const CacheLock& lock) const;

  /// Publishes one block, replacing one that is there. `thoughts` is [rows, N, A], rows those of
  /// the layout; `row_ids` one number for each row, by which a reader can tell that row and record
  /// belong together. Floats are rounded to the nearest where the key stores bfloat16. Throws
  /// kNumerics for a value that is not finite, kResources for a full disk.
  void write_block(std::int64_t block, std::span<const float> thoughts,
                   std::span<const std::uint64_t> row_ids) const;
  /// The same from bfloat16 bits, where the key stores bfloat16.
  void write_block(std::int64_t block, std::span<const std::uint16_t> thoughts,
                   std::span<const std::uint64_t> row_ids) const;

  /// Writes index and manifest once all blocks are there; does nothing for a finished cache. Throws
  /// kCache naming the first missing block.
  void finish(const CacheLock& lock) const;

 private:
  void require_block(std::int64_t block, std::size_t values, std::size_t ids) const;
  template <typename T>
  void publish(std::int64_t block, std::span<const T> thoughts,
               std::span<const std::uint64_t> row_ids) const;

  std::filesystem::path folder_;
  ThoughtCacheLayout layout_;
};

}  // namespace softcot
