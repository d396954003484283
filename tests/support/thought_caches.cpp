#include "support/thought_caches.h"
#include "support/files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace softcot::test {

ThoughtCacheKey small_key(std::int64_t rows, ThoughtType type) {
  return {.assistant_hash = "aa11",
          .assistant_layers = 2,
          .tokenizer_hash = "bb22",
          .prompt_hash = "cc33",
          .thoughts = 5,
          .prompt_mode = PromptMode::kCounted,
          .stored_type = type,
          .dataset_hash = "dd44",
          .task = "gsm8k/train",
          .rows = rows,
          .width = 6};
}

std::vector<float> block_thoughts(const ThoughtCacheLayout& layout, std::int64_t block) {
  std::vector<float> values;
  for (std::int64_t r = 0; r < layout.rows_in(block); ++r) {
    const auto row = static_cast<double>(layout.first_row(block) + r);
    for (std::int64_t i = 0; i < layout.key.thoughts * layout.key.width; ++i) {
      values.push_back(static_cast<float>(std::sin(row * 1000.0 + static_cast<double>(i))));
    }
  }
  return values;
}

std::vector<std::uint64_t> block_row_ids(const ThoughtCacheLayout& layout, std::int64_t block) {
  std::vector<std::uint64_t> ids;
  for (std::int64_t r = 0; r < layout.rows_in(block); ++r) {
    ids.push_back(static_cast<std::uint64_t>(layout.first_row(block) + r) * 0x9e3779b97f4a7c15ULL);
  }
  return ids;
}

std::vector<std::int64_t> run_job(const std::filesystem::path& folder, const ThoughtCacheKey& key,
                                  std::int64_t block_rows) {
  const CacheLock lock(folder);
  const ThoughtCacheWriter writer(folder, key, block_rows);
  const std::vector<std::int64_t> missing = writer.missing_blocks(lock);
  for (const std::int64_t block : missing) {
    writer.write_block(block, std::span<const float>(block_thoughts(writer.layout(), block)),
                       block_row_ids(writer.layout(), block));
  }
  writer.finish(lock);
  return missing;
}

std::vector<std::pair<std::string, std::string>> contents(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.emplace_back(entry.path().filename().string(), slurp(entry.path()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string error_of(const std::function<void()>& action, ExitCode code) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace softcot::test
