#include "data/thought_cache_verify.h"

#include <algorithm>
#include <map>

#include "data/thought_cache_manifest.h"
#include "runtime/error.h"

namespace softcot {
namespace {

/// Every block file of the folder by its number.
std::map<std::int64_t, std::filesystem::path> block_files(const std::filesystem::path& folder) {
  std::map<std::int64_t, std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto block = block_index(entry.path().filename().string());
    if (block) files.emplace(*block, entry.path());
  }
  return files;
}

/// Runs `check`; what it throws becomes damage of `file`. Returns whether it passed.
template <typename Check>
bool passes(CacheHealth& health, const std::string& file, Check&& check) {
  try {
    check();
    return true;
  } catch (const Error& error) {
    Problem problem = error.problem();
    problem.where.clear();  // The file is named beside it,
    problem.fix.clear();    // and all damage has one remedy.
    health.damaged.push_back({file, describe(problem)});
    return false;
  }
}

void check_block(const std::filesystem::path& folder, const ThoughtCacheLayout& layout,
                 std::int64_t index, const std::string& expected_hash) {
  const ThoughtBlock block = ThoughtBlock::open(folder, layout, index);
  const std::string found = block.compute_data_hash();
  const std::string& expected = expected_hash.empty() ? block.data_hash() : expected_hash;
  if (found == expected && found == block.data_hash()) return;
  fail(ExitCode::kCache, {.what = "thought cache block holds other data than it should",
                          .where = (folder / block_name(index)).string(),
                          .expected = expected,
                          .got = found});
}

}  // namespace

CacheHealth verify_thought_cache(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    fail(ExitCode::kCache, {.what = "no thought cache here",
                            .where = folder.string(),
                            .fix = "run `softcot precompute`"});
  }
  CacheHealth health;
  std::optional<ThoughtCacheManifest> manifest;
  passes(health, kManifestName, [&] { manifest = read_manifest(folder); });
  health.finished = manifest.has_value();
  if (manifest) health.layout = manifest->layout;

  // Seals first: only a file whose every byte is proved is opened.
  std::map<std::int64_t, std::filesystem::path> files = block_files(folder);
  std::erase_if(files, [&](const auto& file) {
    return !passes(health, block_name(file.first), [&, path = file.second] {
      check_seal(path, SealCheck::kContents);
      const ThoughtCacheLayout found = read_block_layout(path);
      if (!health.layout) health.layout = found;
    });
  });
  const auto is_damaged = [&](const std::string& name) {
    return std::any_of(health.damaged.begin(), health.damaged.end(),
                       [&](const CacheDamage& damage) { return damage.file == name; });
  };
  for (std::int64_t block = 0; health.layout && block < health.layout->block_count(); ++block) {
    if (!files.contains(block)) {
      if (!is_damaged(block_name(block))) health.missing_blocks.push_back(block);
      continue;
    }
    const std::string hash = manifest ? manifest->data_hashes[static_cast<std::size_t>(block)] : "";
    health.sound_blocks += passes(health, block_name(block),
                                  [&] { check_block(folder, *health.layout, block, hash); });
  }
  if (manifest || std::filesystem::exists(folder / kIndexName)) {
    passes(health, kIndexName, [&] { check_seal(folder / kIndexName, SealCheck::kContents); });
  }
  return health;
}

std::int64_t repair_thought_cache(const CacheLock& lock, const CacheHealth& health) {
  if (health.damaged.empty()) return 0;
  remove_manifest(lock.folder());
  for (const CacheDamage& damage : health.damaged) remove_file(lock.folder() / damage.file);
  return static_cast<std::int64_t>(health.damaged.size());
}

}  // namespace softcot
