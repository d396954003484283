#include "data/thought_cache_writer.h"

#include <fmt/format.h>

#include <cmath>

#include "data/bfloat16.h"
#include "data/thought_cache_manifest.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"

namespace softcot {
namespace {

void require_same_layout(const ThoughtCacheLayout& expected, const ThoughtCacheLayout& got,
                         const std::filesystem::path& where) {
  require_same_key(expected.key, got.key, where.string());
  if (expected.block_rows == got.block_rows) return;
  fail(ExitCode::kCache, {.what = "thought cache has another block size",
                          .where = where.string(),
                          .expected = fmt::format("{} rows", expected.block_rows),
                          .got = fmt::format("{} rows", got.block_rows),
                          .fix = "use that block size, or another folder"});
}

/// The hidden names under which AtomicFile writes: leftovers, once no rank of ours is writing.
void drop_leftovers(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with(".block-") ||
                      name.starts_with(std::string(".") + kIndexName) ||
                      name.starts_with(std::string(".") + kManifestName);
    if (ours && name.ends_with(".tmp")) remove_file(entry.path());
  }
}

bool is_finite(float value) { return std::isfinite(value); }
bool is_finite(std::uint16_t bits) { return (bits & 0x7f80U) != 0x7f80U; }

/// The block's data hash, or nothing where it is absent or damaged and must be written (again). A
/// sound block of another key is an error: it is somebody's work.
std::optional<std::string> sound_block(const std::filesystem::path& folder,
                                       const ThoughtCacheLayout& layout, std::int64_t block,
                                       SealCheck depth) {
  const std::filesystem::path path = folder / block_name(block);
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    check_seal(path, depth);
  } catch (const Error&) {
    return std::nullopt;
  }
  require_same_layout(layout, read_block_layout(path), path);
  return ThoughtBlock::open(folder, layout, block).data_hash();
}

/// As read_manifest, but a damaged one counts as none: it is written anew at the end.
std::optional<ThoughtCacheManifest> sound_manifest(const std::filesystem::path& folder) {
  if (!manifest_is_intact(folder)) return std::nullopt;
  return read_manifest(folder);
}

void check_lock(const CacheLock& lock, const std::filesystem::path& folder) {
  if (lock.folder() == folder) return;
  fail(ExitCode::kInternal,
       {.what = "lock of another folder", .where = folder.string(), .got = lock.folder().string()});
}

}  // namespace

ThoughtCacheWriter::ThoughtCacheWriter(std::filesystem::path folder, const ThoughtCacheKey& key,
                                       std::int64_t block_rows)
    : folder_(std::move(folder)), layout_{key, block_rows} {
  check_layout(layout_, ExitCode::kInternal, folder_.string());
  make_folder(folder_);
  const std::optional<ThoughtCacheManifest> manifest = sound_manifest(folder_);
  if (manifest) require_same_layout(layout_, manifest->layout, folder_ / kManifestName);
}

bool ThoughtCacheWriter::is_complete(const std::filesystem::path& folder,
                                     const ThoughtCacheKey& key, std::int64_t block_rows) {
  const ThoughtCacheLayout layout{key, block_rows};
  check_layout(layout, ExitCode::kInternal, folder.string());
  const std::optional<ThoughtCacheManifest> manifest = sound_manifest(folder);
  if (!manifest) return false;
  require_same_layout(layout, manifest->layout, folder / kManifestName);
  for (std::int64_t block = 0; block < layout.block_count(); ++block) {
    const auto hash = sound_block(folder, layout, block, SealCheck::kContents);
    if (!hash || *hash != manifest->data_hashes[static_cast<std::size_t>(block)]) return false;
  }
  return std::filesystem::exists(folder / kIndexName);
}

std::vector<std::int64_t> ThoughtCacheWriter::missing_blocks(const CacheLock& lock) const {
  check_lock(lock, folder_);
  drop_leftovers(folder_);
  const std::optional<ThoughtCacheManifest> manifest = sound_manifest(folder_);
  std::vector<std::int64_t> missing;
  for (std::int64_t block = 0; block < layout_.block_count(); ++block) {
    const std::optional<std::string> hash =
        sound_block(folder_, layout_, block, SealCheck::kContents);
    if (!hash || (manifest && manifest->data_hashes[static_cast<std::size_t>(block)] != *hash)) {
      missing.push_back(block);
    }
  }
  // First the mark, then the blocks: a kill in between leaves an unfinished cache, not a broken
  // one.
  if (!manifest || !missing.empty()) remove_manifest(folder_);
  for (const std::int64_t block : missing) remove_file(folder_ / block_name(block));
  return missing;
}

template <typename T>
void ThoughtCacheWriter::publish(std::int64_t block, std::span<const T> thoughts,
                                 std::span<const std::uint64_t> row_ids) const {
  for (std::size_t i = 0; i < thoughts.size(); ++i) {
    if (is_finite(thoughts[i])) continue;
    const auto row_size = static_cast<std::size_t>(layout_.key.thoughts * layout_.key.width);
    fail(ExitCode::kNumerics,
         {.what = "thought is not finite",
          .where = fmt::format("{} row {}", folder_.string(),
                               layout_.first_row(block) + static_cast<std::int64_t>(i / row_size)),
          .fix = "check the assistant's weights, or store float32"});
  }
  write_block_file(folder_, layout_, block, std::as_bytes(thoughts), row_ids);
}

void ThoughtCacheWriter::write_block(std::int64_t block, std::span<const float> thoughts,
                                     std::span<const std::uint64_t> row_ids) const {
  require_block(block, thoughts.size(), row_ids.size());
  if (layout_.key.stored_type == ThoughtType::kFloat32) return publish(block, thoughts, row_ids);
  std::vector<std::uint16_t> rounded(thoughts.size());
  std::transform(thoughts.begin(), thoughts.end(), rounded.begin(), to_bfloat16);
  publish(block, std::span<const std::uint16_t>(rounded), row_ids);
}

void ThoughtCacheWriter::write_block(std::int64_t block, std::span<const std::uint16_t> thoughts,
                                     std::span<const std::uint64_t> row_ids) const {
  require_block(block, thoughts.size(), row_ids.size());
  if (layout_.key.stored_type != ThoughtType::kBfloat16) {
    fail(ExitCode::kInternal,
         {.what = "bfloat16 thoughts for a float32 cache", .where = folder_.string()});
  }
  publish(block, thoughts, row_ids);
}

void ThoughtCacheWriter::require_block(std::int64_t block, std::size_t values,
                                       std::size_t ids) const {
  const bool known = block >= 0 && block < layout_.block_count();
  const std::int64_t rows = known ? layout_.rows_in(block) : 0;
  const std::int64_t expected = rows * layout_.key.thoughts * layout_.key.width;
  if (known && values == static_cast<std::size_t>(expected) &&
      ids == static_cast<std::size_t>(rows)) {
    return;
  }
  fail(ExitCode::kInternal, {.what = "thoughts do not fit their block",
                             .where = fmt::format("{} block {}", folder_.string(), block),
                             .expected = fmt::format("{} values and {} row ids", expected, rows),
                             .got = fmt::format("{} and {}", values, ids)});
}

void ThoughtCacheWriter::finish(const CacheLock& lock) const {
  check_lock(lock, folder_);
  ThoughtCacheManifest manifest{layout_, {}};
  for (std::int64_t block = 0; block < layout_.block_count(); ++block) {
    std::optional<std::string> hash = sound_block(folder_, layout_, block, SealCheck::kSize);
    if (!hash) {
      fail(ExitCode::kCache, {.what = "thought cache is not complete",
                              .where = (folder_ / block_name(block)).string(),
                              .expected = fmt::format("{} blocks", layout_.block_count()),
                              .fix = "run `softcot precompute` again"});
    }
    manifest.data_hashes.push_back(*std::move(hash));
  }
  const std::optional<ThoughtCacheManifest> present = sound_manifest(folder_);
  const bool finished = present && present->data_hashes == manifest.data_hashes &&
                        std::filesystem::exists(folder_ / kIndexName);
  if (finished) return;
  write_index(folder_, layout_);
  write_manifest(folder_, manifest);
}

}  // namespace softcot
