#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/thought_cache_block.h"

namespace softcot {

/// What makes a folder of blocks a finished cache. The file ends with a hash of all before it.
struct ThoughtCacheManifest {
  ThoughtCacheLayout layout;
  std::vector<std::string> data_hashes;  ///< One for each block, in order.
};

/// Nothing where the folder has no manifest. Throws kCache for one that is damaged, of another
/// format version, or whose parts contradict each other.
std::optional<ThoughtCacheManifest> read_manifest(const std::filesystem::path& folder);

/// Whether the manifest is there and its hash fits; says nothing about its content.
bool manifest_is_intact(const std::filesystem::path& folder);

void write_manifest(const std::filesystem::path& folder, const ThoughtCacheManifest& manifest);

/// `index.h5`: a virtual dataset `thoughts` [R, N, A] over all blocks, for other programs.
void write_index(const std::filesystem::path& folder, const ThoughtCacheLayout& layout);

/// Takes the mark "finished" off a cache, leaving its blocks.
void remove_manifest(const std::filesystem::path& folder);

/// Deletes one file; that it is not there is no error.
void remove_file(const std::filesystem::path& path);

}  // namespace softcot
