#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/thought_cache_key.h"
#include "data/thought_cache_writer.h"
#include "runtime/error.h"

namespace softcot::test {

/// A legal key of a small cache: 5 thoughts of width 6.
ThoughtCacheKey small_key(std::int64_t rows, ThoughtType type = ThoughtType::kFloat32);

/// Thoughts [rows in block, N, A] as a function of (row, place): what a rank would compute.
std::vector<float> block_thoughts(const ThoughtCacheLayout& layout, std::int64_t block);
std::vector<std::uint64_t> block_row_ids(const ThoughtCacheLayout& layout, std::int64_t block);

/// Writes the blocks that are missing and finishes, as one job would. Returns which were written.
std::vector<std::int64_t> run_job(const std::filesystem::path& folder, const ThoughtCacheKey& key,
                                  std::int64_t block_rows);

/// Name and bytes of every file, sorted.
std::vector<std::pair<std::string, std::string>> contents(const std::filesystem::path& folder);

/// The Error that `action` throws, with `code`; fails the test where it throws none.
std::string error_of(const std::function<void()>& action, ExitCode code);

}  // namespace softcot::test
