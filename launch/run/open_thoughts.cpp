#include "launch/run/open_thoughts.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "launch/run/run_data.h"
#include "runtime/error.h"

namespace softcot {
namespace {

struct Neighbour {
  std::string folder;
  KeyDifference difference;
};

std::size_t count_differences(const ThoughtCacheKey& a, const ThoughtCacheKey& b) {
  const ThoughtCacheFields mine = to_attributes(a);
  const ThoughtCacheFields other = to_attributes(b);
  std::size_t count = 0;
  for (std::size_t i = 0; i < mine.size(); ++i) count += mine[i] == other[i] ? 0 : 1;
  return count;
}

/// What cannot be read is no neighbour.
std::optional<ThoughtCacheKey> key_in(const std::filesystem::path& folder) {
  try {
    if (const auto manifest = read_manifest(folder)) return manifest->layout.key;
  } catch (const Error&) {
  }
  return std::nullopt;
}

/// The finished cache that differs from `key` in the fewest fields; of equals, the first by name.
std::optional<Neighbour> nearest_cache(const std::filesystem::path& caches,
                                       const ThoughtCacheKey& key) {
  std::optional<Neighbour> nearest;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(caches, unreadable)) {
    const auto found = key_in(entry.path());
    if (!found) continue;
    const auto difference = first_difference(key, *found);
    if (!difference) continue;
    const std::string folder = entry.path().filename();
    const std::size_t count = count_differences(key, *found);
    if (count > fewest || (count == fewest && nearest->folder < folder)) continue;
    fewest = count;
    nearest = Neighbour{folder, *difference};
  }
  return nearest;
}

/// Of the finished caches whose first thoughts are those of `key`, the one with the fewest
/// thoughts.
std::optional<std::filesystem::path> longer_cache(const std::filesystem::path& caches,
                                                  const ThoughtCacheKey& key) {
  std::optional<std::filesystem::path> best;
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(caches, unreadable)) {
    auto found = key_in(entry.path());
    if (!found || found->thoughts < key.thoughts || found->thoughts >= fewest) continue;
    const std::int64_t thoughts = std::exchange(found->thoughts, key.thoughts);
    if (*found != key) continue;
    fewest = thoughts;
    best = entry.path();
  }
  return best;
}

}  // namespace

ThoughtCache open_thoughts(const RunOptions& run, const ThoughtCacheKey& key) {
  const std::filesystem::path folder = cache_folder(run, key);
  // A job that was killed before its first block leaves an empty folder.
  if (!std::filesystem::exists(folder) || std::filesystem::is_empty(folder)) {
    if (key.prompt_mode == PromptMode::kUncounted) {
      if (const auto longer = longer_cache(run.thoughts.cache, key)) {
        return ThoughtCache::open(*longer, key);
      }
    }
    if (const auto nearest = nearest_cache(run.thoughts.cache, key)) {
      fail(ExitCode::kCache,
           {.what = "no thought cache of this run",
            .where = folder.string(),
            .expected =
                fmt::format("{} {}", nearest->difference.field, nearest->difference.expected),
            .got = fmt::format("{} in the nearest, {}", nearest->difference.got, nearest->folder),
            .fix = "run softcot precompute with the options of this run"});
    }
  }
  return ThoughtCache::open(folder, key);
}

}  // namespace softcot
