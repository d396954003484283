#pragma once

#include "data/thought_cache_reader.h"
#include "launch/options/run_options.h"

namespace softcot {

/// The finished cache of `key` among the run's caches, or, if the assistant is not told N, one for
/// more thoughts that begins with them. Throws kCache as ThoughtCache::open; where
/// there is no such cache, the message names the one that comes closest and the first field in
/// which it differs. Local.
ThoughtCache open_thoughts(const RunOptions& run, const ThoughtCacheKey& key);

}  // namespace softcot
