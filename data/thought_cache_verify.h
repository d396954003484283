#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/cache_lock.h"
#include "data/thought_cache_block.h"

namespace softcot {

struct CacheDamage {
  std::string file;    ///< Name inside the folder.
  std::string reason;  ///< One line.
};

struct CacheHealth {
  std::optional<ThoughtCacheLayout> layout;  ///< Nothing where no sound file tells.
  bool finished = false;                     ///< A sound manifest is there.
  std::int64_t sound_blocks = 0;
  std::vector<std::int64_t> missing_blocks;
  std::vector<CacheDamage> damaged;

  bool sound() const { return finished && missing_blocks.empty() && damaged.empty(); }
};

/// Reads every byte of a cache, finished or not: seals, keys, shapes, data hashes, manifest, index.
/// Damage is reported, not thrown; throws kCache only where there is no folder.
CacheHealth verify_thought_cache(const std::filesystem::path& folder);

/// Deletes the damaged files, so that precompute redoes only them. Returns how many.
std::int64_t repair_thought_cache(const CacheLock& lock, const CacheHealth& health);

}  // namespace softcot
