#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "data/thought_cache_manifest.h"

namespace softcot {

struct ThoughtCacheOptions {
  /// Proves every byte of a block against its seal at the block's first read. Without it sizes,
  /// keys and the data's own checksums are still tested.
  bool verify_on_first_read = true;
  /// Blocks kept open, ≥ 1. Each takes one file handle and some ten KiB, whatever its size: rows
  /// are read when asked for, and the operating system caches the files.
  std::size_t max_open_blocks = 16;
};

/// A finished thought cache, for reading by one thread. Works on file systems without locks, and
/// while other processes read. Local: every rank opens its own.
class ThoughtCache {
 public:
  /// Opens a cache that must have `expected` as its key, except that an `uncounted` cache may hold
  /// more thoughts than `expected` asks for: then the first `expected.thoughts` are read. Throws
  /// kCache for a cache that is missing, unfinished, stale (naming the field), or has blocks
  /// missing or cut short.
  static ThoughtCache open(const std::filesystem::path& folder, const ThoughtCacheKey& expected,
                           const ThoughtCacheOptions& options = {});
  /// Opens whatever the folder holds.
  static ThoughtCache inspect(const std::filesystem::path& folder,
                              const ThoughtCacheOptions& options = {});

  const ThoughtCacheLayout& layout() const { return manifest_.layout; }
  std::int64_t rows() const { return layout().key.rows; }
  std::int64_t thoughts() const { return thoughts_; }  ///< n ≤ N: thoughts read of each row.
  std::int64_t width() const { return layout().key.width; }

  /// [indices, n, A] in float32, exact for a bfloat16 cache. `out` has exactly that size. Throws
  /// kCache naming the file of a damaged block, kInternal for an index outside [0, R).
  void read(std::span<const std::int64_t> indices, std::span<float> out);
  std::vector<float> read(std::span<const std::int64_t> indices);
  /// What the writer gave as the row's id.
  std::uint64_t row_id(std::int64_t index);

 private:
  struct OpenBlock {
    std::int64_t index;
    ThoughtBlock block;
  };

  ThoughtCache(std::filesystem::path folder, ThoughtCacheManifest manifest, std::int64_t thoughts,
               const ThoughtCacheOptions& options);
  /// The open block that holds row `index`.
  ThoughtBlock& block_of(std::int64_t index);
  std::int64_t row_in_block(std::int64_t index) const { return index % layout().block_rows; }
  std::size_t row_size() const { return static_cast<std::size_t>(thoughts_ * width()); }

  std::filesystem::path folder_;
  ThoughtCacheManifest manifest_;
  std::int64_t thoughts_;
  ThoughtCacheOptions options_;
  std::list<OpenBlock> open_;   // Most recently used first.
  std::vector<bool> verified_;  // [blocks]
};

}  // namespace softcot
