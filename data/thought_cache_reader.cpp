#include "data/thought_cache_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/bfloat16.h"
#include "runtime/error.h"

namespace softcot {
namespace {

ThoughtCacheManifest require_manifest(const std::filesystem::path& folder) {
  std::optional<ThoughtCacheManifest> manifest = read_manifest(folder);
  if (manifest) return *std::move(manifest);
  const bool begun = std::filesystem::exists(folder);
  fail(ExitCode::kCache, {.what = begun ? "thought cache is not finished" : "no thought cache here",
                          .where = folder.string(),
                          .fix = "run `softcot precompute`"});
}

}  // namespace

ThoughtCache::ThoughtCache(std::filesystem::path folder, ThoughtCacheManifest manifest,
                           std::int64_t thoughts, const ThoughtCacheOptions& options)
    : folder_(std::move(folder)),
      manifest_(std::move(manifest)),
      thoughts_(thoughts),
      options_(options),
      verified_(manifest_.data_hashes.size(), false) {
  options_.max_open_blocks = std::max<std::size_t>(options_.max_open_blocks, 1);
  // A block that is gone or cut short is found now, not in the middle of a run.
  for (std::int64_t block = 0; block < layout().block_count(); ++block) {
    check_seal(folder_ / block_name(block), SealCheck::kSize);
  }
}

ThoughtCache ThoughtCache::open(const std::filesystem::path& folder,
                                const ThoughtCacheKey& expected,
                                const ThoughtCacheOptions& options) {
  ThoughtCacheManifest manifest = require_manifest(folder);
  ThoughtCacheKey wanted = expected;
  const ThoughtCacheKey& found = manifest.layout.key;
  if (expected.prompt_mode == PromptMode::kUncounted && expected.thoughts >= 1 &&
      expected.thoughts <= found.thoughts) {
    wanted.thoughts = found.thoughts;
  }
  require_same_key(wanted, found, (folder / kManifestName).string());
  return {folder, std::move(manifest), expected.thoughts, options};
}

ThoughtCache ThoughtCache::inspect(const std::filesystem::path& folder,
                                   const ThoughtCacheOptions& options) {
  ThoughtCacheManifest manifest = require_manifest(folder);
  const std::int64_t thoughts = manifest.layout.key.thoughts;
  return {folder, std::move(manifest), thoughts, options};
}

ThoughtBlock& ThoughtCache::block_of(std::int64_t index) {
  if (index < 0 || index >= rows()) {
    fail(ExitCode::kInternal, {.what = "no such row in the thought cache",
                               .where = folder_.string(),
                               .expected = fmt::format("0 to {}", rows() - 1),
                               .got = std::to_string(index)});
  }
  const std::int64_t number = index / layout().block_rows;
  const auto found = std::find_if(open_.begin(), open_.end(),
                                  [&](const OpenBlock& open) { return open.index == number; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
    return open_.front().block;
  }
  const std::filesystem::path path = folder_ / block_name(number);
  const auto slot = static_cast<std::size_t>(number);
  if (!verified_[slot] && options_.verify_on_first_read) check_seal(path, SealCheck::kContents);
  ThoughtBlock block = ThoughtBlock::open(folder_, layout(), number);
  if (block.data_hash() != manifest_.data_hashes[slot]) {
    fail(ExitCode::kCache, {.what = "thought cache block is not the one in the manifest",
                            .where = path.string(),
                            .expected = manifest_.data_hashes[slot],
                            .got = block.data_hash(),
                            .fix = "run `softcot precompute`: only this block is redone"});
  }
  verified_[slot] = true;
  if (open_.size() == options_.max_open_blocks) open_.pop_back();
  open_.push_front({number, std::move(block)});
  return open_.front().block;
}

void ThoughtCache::read(std::span<const std::int64_t> indices, std::span<float> out) {
  if (out.size() != indices.size() * row_size()) {
    fail(ExitCode::kInternal, {.what = "wrong buffer for thoughts",
                               .expected = std::to_string(indices.size() * row_size()),
                               .got = std::to_string(out.size())});
  }
  const bool bits = layout().key.stored_type == ThoughtType::kBfloat16;
  std::vector<std::uint16_t> row(bits ? row_size() : 0);
  for (const std::int64_t index : indices) {
    const std::span<float> place = out.first(row_size());
    out = out.subspan(row_size());
    const ThoughtBlock& block = block_of(index);
    if (bits) {
      block.read_row<std::uint16_t>(row_in_block(index), thoughts_, row);
      std::transform(row.begin(), row.end(), place.begin(), from_bfloat16);
    } else {
      block.read_row<float>(row_in_block(index), thoughts_, place);
    }
  }
}

std::vector<float> ThoughtCache::read(std::span<const std::int64_t> indices) {
  std::vector<float> out(indices.size() * row_size());
  read(indices, out);
  return out;
}

std::uint64_t ThoughtCache::row_id(std::int64_t index) {
  return block_of(index).row_id(row_in_block(index));
}

}  // namespace softcot
