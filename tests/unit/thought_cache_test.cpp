#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <numeric>
#include <set>

#include "data/bfloat16.h"
#include "data/thought_cache_reader.h"
#include "data/thought_cache_verify.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/thought_caches.h"

namespace softcot {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::int64_t> all_rows(std::int64_t rows) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(rows));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

/// [rows, N, A] as the writers were given it.
std::vector<float> all_thoughts(const ThoughtCacheLayout& layout) {
  std::vector<float> all;
  for (std::int64_t block = 0; block < layout.block_count(); ++block) {
    const auto part = block_thoughts(layout, block);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

/// Every key that differs from `key` in one field, by the field's name on disk.
std::vector<std::pair<std::string, ThoughtCacheKey>> changed_keys(const ThoughtCacheKey& key) {
  std::vector<std::pair<std::string, ThoughtCacheKey>> keys(12, {"", key});
  auto change = [&, next = std::size_t{0}](const char* name) mutable -> ThoughtCacheKey& {
    keys[next].first = name;
    return keys[next++].second;
  };
  change("assistant_hash").assistant_hash += "0";
  change("assistant_layers").assistant_layers += 1;
  change("assistant_type").assistant_type = ThoughtType::kBfloat16;
  change("tokenizer_hash").tokenizer_hash = "";
  change("prompt_hash").prompt_hash = "CC33";
  change("thoughts").thoughts -= 1;
  change("prompt_mode").prompt_mode = PromptMode::kUncounted;
  change("stored_type").stored_type = ThoughtType::kBfloat16;
  change("dataset_hash").dataset_hash = "other";
  change("task").task = "gsm8k/test";
  change("rows").rows += 1;
  change("width").width += 1;
  return keys;
}

TEST(ThoughtCacheKey, EveryFieldIsOnDiskAndInTheHash) {
  const ThoughtCacheKey key = small_key(10);
  EXPECT_EQ(key_from_attributes(to_attributes(key), "here"), key);
  EXPECT_EQ(first_difference(key, key), std::nullopt);
  std::set<std::string> hashes = {short_hash(key)};
  const auto changed = changed_keys(key);
  EXPECT_EQ(changed.size() + 1, to_attributes(key).size());  // And the format version.
  for (const auto& [field, other] : changed) {
    EXPECT_EQ(key_from_attributes(to_attributes(other), "here"), other);
    const auto difference = first_difference(key, other);
    ASSERT_TRUE(difference.has_value()) << field;
    EXPECT_EQ(difference->field, field);
    EXPECT_NE(difference->expected, difference->got);
    hashes.insert(short_hash(other));
  }
  EXPECT_EQ(hashes.size(), changed.size() + 1);
  EXPECT_THAT(folder_name(key), ::testing::MatchesRegex("thoughts-N5-[0-9a-f]{12}"));
}

TEST(ThoughtCacheKey, NamesAnUnusableField) {
  ThoughtCacheFields fields = to_attributes(small_key(10));
  fields[0].second = std::int64_t{99};
  EXPECT_THAT(error_of([&] { key_from_attributes(fields, "f.h5"); }, ExitCode::kCache),
              AllOf(HasSubstr("another format version"), HasSubstr("got 99")));
  for (std::size_t i = 0; i < fields.size(); ++i) {
    ThoughtCacheFields without = to_attributes(small_key(10));
    const std::string name = without[i].first;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(error_of([&] { key_from_attributes(without, "f.h5"); }, ExitCode::kCache),
                AllOf(HasSubstr("f.h5"), HasSubstr(name)));
  }
  fields = to_attributes(small_key(10));
  std::find_if(fields.begin(), fields.end(), [](const auto& field) {
    return field.first == "prompt_mode";
  })->second = std::string("sometimes");
  EXPECT_THAT(error_of([&] { key_from_attributes(fields, "f.h5"); }, ExitCode::kCache),
              AllOf(HasSubstr("prompt_mode"), HasSubstr("sometimes")));
}

TEST(ThoughtCache, ReadsBackWhatWasWritten) {
  for (const std::int64_t rows : {1, 7, 8, 9, 30}) {
    const TemporaryFolder folder;
    const ThoughtCacheKey key = small_key(rows);
    EXPECT_EQ(run_job(folder.path(), key, 8).size(), static_cast<std::size_t>((rows + 7) / 8));
    ThoughtCache cache = ThoughtCache::open(folder.path(), key, {.max_open_blocks = 2});
    EXPECT_EQ(cache.read(all_rows(rows)), all_thoughts(cache.layout()));
    const auto last = block_row_ids(cache.layout(), cache.layout().block_count() - 1);
    EXPECT_EQ(cache.row_id(rows - 1), last.back());
    const std::vector<std::int64_t> mixed = {rows - 1, 0, rows / 2, 0};
    const auto some = cache.read(mixed);
    const auto all = all_thoughts(cache.layout());
    for (std::size_t i = 0; i < mixed.size(); ++i) {
      EXPECT_TRUE(std::equal(all.begin() + mixed[i] * 30, all.begin() + (mixed[i] + 1) * 30,
                             some.begin() + static_cast<std::ptrdiff_t>(i) * 30));
    }
    EXPECT_TRUE(cache.read({}).empty());
    EXPECT_TRUE(verify_thought_cache(folder.path()).sound());
  }
}

TEST(ThoughtCache, RefusesRowsItDoesNotHave) {
  const TemporaryFolder folder;
  run_job(folder.path(), small_key(10), 4);
  ThoughtCache cache = ThoughtCache::inspect(folder.path());
  error_of([&] { cache.read(std::vector<std::int64_t>{10}); }, ExitCode::kInternal);
  error_of([&] { cache.read(std::vector<std::int64_t>{-1}); }, ExitCode::kInternal);
}

TEST(ThoughtCache, Bfloat16IsRoundedOnceAndReadExactly) {
  const TemporaryFolder folder;
  const ThoughtCacheKey key = small_key(20, ThoughtType::kBfloat16);
  run_job(folder.path() / "floats", key, 8);
  ThoughtCache cache = ThoughtCache::open(folder.path() / "floats", key);
  const auto expected = all_thoughts(cache.layout());
  const auto floats = cache.read(all_rows(20));
  ASSERT_EQ(floats.size(), expected.size());
  std::vector<std::uint16_t> bits(floats.size());
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = to_bfloat16(floats[i]);
    EXPECT_EQ(floats[i], from_bfloat16(bits[i]));
    // Nearest: 8 significant bits leave at most half a unit in the last place, 2^-8 relative.
    EXPECT_LE(std::abs(floats[i] - expected[i]), std::ldexp(std::abs(expected[i]), -8));
  }
  // The bits written as bits give the very same files.
  const std::filesystem::path other = folder.path() / "bits";
  const CacheLock lock(other);
  const ThoughtCacheWriter writer(other, key, 8);
  std::span<const std::uint16_t> rest = bits;
  for (std::int64_t block = 0; block < 3; ++block) {
    const auto size = static_cast<std::size_t>(writer.layout().rows_in(block) * 30);
    writer.write_block(block, rest.first(size), block_row_ids(writer.layout(), block));
    rest = rest.subspan(size);
  }
  writer.finish(lock);
  std::filesystem::remove(other / kLockName);
  EXPECT_EQ(contents(other), contents(folder.path() / "floats"));
}

TEST(ThoughtCache, RoundsToNearestEven) {
  EXPECT_EQ(to_bfloat16(1.0F), 0x3f80);
  EXPECT_EQ(to_bfloat16(std::bit_cast<float>(0x3f808000U)), 0x3f80);  // A tie, to even.
  EXPECT_EQ(to_bfloat16(std::bit_cast<float>(0x3f818000U)), 0x3f82);  // A tie, to even.
  EXPECT_EQ(to_bfloat16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
  EXPECT_EQ(to_bfloat16(-0.0F), 0x8000);
  EXPECT_TRUE(std::isnan(from_bfloat16(to_bfloat16(std::bit_cast<float>(0x7f800001U)))));
}

TEST(ThoughtCache, RefusesThoughtsThatAreNotFinite) {
  const TemporaryFolder folder;
  for (const ThoughtType type : {ThoughtType::kFloat32, ThoughtType::kBfloat16}) {
    const ThoughtCacheWriter writer(folder.path(), small_key(10, type), 4);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      auto thoughts = block_thoughts(writer.layout(), 1);
      thoughts[2 * 30 + 7] = bad;
      EXPECT_THAT(error_of(
                      [&] {
                        writer.write_block(1, std::span<const float>(thoughts),
                                           block_row_ids(writer.layout(), 1));
                      },
                      ExitCode::kNumerics),
                  HasSubstr("row 6"));
    }
  }
}

TEST(ThoughtCache, RefusesThoughtsOfAnotherSize) {
  const TemporaryFolder folder;
  const ThoughtCacheWriter writer(folder.path(), small_key(10), 4);
  const auto thoughts = block_thoughts(writer.layout(), 0);
  const auto ids = block_row_ids(writer.layout(), 0);
  const std::span<const float> all(thoughts);
  error_of([&] { writer.write_block(2, all, ids); }, ExitCode::kInternal);
  error_of([&] { writer.write_block(3, all, ids); }, ExitCode::kInternal);
  error_of([&] { writer.write_block(-1, all, ids); }, ExitCode::kInternal);
  error_of([&] { writer.write_block(0, all.first(7), ids); }, ExitCode::kInternal);
  error_of([&] { writer.write_block(0, all, std::span(ids).first(3)); }, ExitCode::kInternal);
}

TEST(ThoughtCache, AnUncountedCacheServesFewerThoughts) {
  const TemporaryFolder folder;
  ThoughtCacheKey key = small_key(9);
  key.prompt_mode = PromptMode::kUncounted;
  run_job(folder.path(), key, 4);
  const auto all = all_thoughts({key, 4});
  for (const std::int64_t n : {1, 3, 5}) {
    ThoughtCacheKey fewer = key;
    fewer.thoughts = n;
    ThoughtCache cache = ThoughtCache::open(folder.path(), fewer);
    EXPECT_EQ(cache.thoughts(), n);
    const auto read = cache.read(all_rows(9));
    ASSERT_EQ(read.size(), static_cast<std::size_t>(9 * n * 6));
    for (std::int64_t row = 0; row < 9; ++row) {
      EXPECT_TRUE(std::equal(all.begin() + row * 30, all.begin() + row * 30 + n * 6,
                             read.begin() + row * n * 6));
    }
  }
  for (const std::int64_t n : {0, 6}) {
    ThoughtCacheKey other = key;
    other.thoughts = n;
    EXPECT_THAT(error_of([&] { ThoughtCache::open(folder.path(), other); }, ExitCode::kCache),
                HasSubstr("thoughts differs"));
  }
}

TEST(ThoughtCache, AStaleKeyIsNamedFieldByField) {
  const TemporaryFolder finished;
  const TemporaryFolder begun;
  const ThoughtCacheKey key = small_key(10);
  run_job(finished.path(), key, 4);
  run_job(begun.path(), key, 4);
  std::filesystem::remove(begun.path() / kManifestName);
  for (const auto& [field, other] : changed_keys(key)) {
    const auto words = AllOf(HasSubstr("stale: " + field + " differs"), HasSubstr("expected"),
                             HasSubstr("got"), HasSubstr("softcot precompute"));
    const auto open = [&, wanted = other] { ThoughtCache::open(finished.path(), wanted); };
    EXPECT_THAT(error_of(open, ExitCode::kCache), AllOf(words, HasSubstr(kManifestName)));
    const auto write = [&, wanted = other] { ThoughtCacheWriter(finished.path(), wanted, 4); };
    EXPECT_THAT(error_of(write, ExitCode::kCache), words);
    // Without a manifest, each block still says whose it is.
    const auto resume = [&, wanted = other] { run_job(begun.path(), wanted, 4); };
    EXPECT_THAT(error_of(resume, ExitCode::kCache), AllOf(words, HasSubstr("block-000000.h5")));
  }
  EXPECT_THAT(error_of([&] { run_job(begun.path(), key, 5); }, ExitCode::kCache),
              HasSubstr("another block size"));
  EXPECT_TRUE(verify_thought_cache(finished.path()).sound());
  EXPECT_TRUE(run_job(begun.path(), key, 4).empty());
}

TEST(ThoughtCache, ABlockOfAnotherCacheIsFound) {
  const TemporaryFolder folder;
  ThoughtCacheKey key = small_key(10);
  run_job(folder.path() / "a", key, 4);
  key.prompt_hash = "other";
  run_job(folder.path() / "b", key, 4);
  std::filesystem::copy_file(folder.path() / "b/block-000001.h5",
                             folder.path() / "a/block-000001.h5",
                             std::filesystem::copy_options::overwrite_existing);
  ThoughtCache cache = ThoughtCache::inspect(folder.path() / "a");
  EXPECT_THAT(error_of([&] { cache.read(std::vector<std::int64_t>{5}); }, ExitCode::kCache),
              AllOf(HasSubstr("prompt_hash"), HasSubstr("block-000001.h5")));
  // A block of the same cache under another's name, and of the same key with other data.
  std::filesystem::copy_file(folder.path() / "a/block-000000.h5",
                             folder.path() / "a/block-000001.h5",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(error_of([&] { cache.read(std::vector<std::int64_t>{5}); }, ExitCode::kCache),
              HasSubstr("another number"));
  const ThoughtCacheWriter writer(folder.path() / "a", small_key(10), 4);
  const std::vector<float> zeros(4 * 30, 0.0F);
  writer.write_block(1, std::span<const float>(zeros), block_row_ids(writer.layout(), 1));
  EXPECT_THAT(error_of([&] { cache.read(std::vector<std::int64_t>{5}); }, ExitCode::kCache),
              HasSubstr("not the one in the manifest"));
  const CacheHealth health = verify_thought_cache(folder.path() / "a");
  ASSERT_EQ(health.damaged.size(), 1U);
  EXPECT_EQ(health.damaged[0].file, "block-000001.h5");
  EXPECT_EQ(run_job(folder.path() / "a", small_key(10), 4), std::vector<std::int64_t>{1});
}

TEST(ThoughtCache, MissingPartsAreFoundAtOpen) {
  const TemporaryFolder folder;
  const ThoughtCacheKey key = small_key(10);
  const auto open = [&] { ThoughtCache::open(folder.path() / "c", key); };
  EXPECT_THAT(error_of(open, ExitCode::kCache), HasSubstr("no thought cache here"));
  const CacheLock lock(folder.path() / "c");
  EXPECT_THAT(error_of(open, ExitCode::kCache), HasSubstr("not finished"));
  const ThoughtCacheWriter writer(folder.path() / "c", key, 4);
  EXPECT_THAT(error_of([&] { writer.finish(lock); }, ExitCode::kCache),
              AllOf(HasSubstr("not complete"), HasSubstr("block-000000.h5")));
  for (std::int64_t block = 0; block < 3; ++block) {
    writer.write_block(block, std::span<const float>(block_thoughts(writer.layout(), block)),
                       block_row_ids(writer.layout(), block));
  }
  writer.finish(lock);
  EXPECT_NO_THROW(open());
  std::filesystem::remove(folder.path() / "c/block-000002.h5");
  EXPECT_THAT(error_of(open, ExitCode::kCache), HasSubstr("block-000002.h5"));
  EXPECT_EQ(verify_thought_cache(folder.path() / "c").missing_blocks, std::vector<std::int64_t>{2});
}

TEST(ThoughtCache, AFinishedCacheIsLeftAlone) {
  const TemporaryFolder folder;
  run_job(folder.path(), small_key(10), 4);
  const auto before = contents(folder.path());
  const auto written = std::filesystem::last_write_time(folder.path() / kManifestName);
  EXPECT_TRUE(run_job(folder.path(), small_key(10), 4).empty());
  EXPECT_EQ(contents(folder.path()), before);
  EXPECT_EQ(std::filesystem::last_write_time(folder.path() / kManifestName), written);
}

TEST(ThoughtCache, AFullDiskIsNamedAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};  // A block takes more than this, its lock less.
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      run_job(folder.path(), small_key(100), 50);
    } catch (const Error& error) {
      _exit(static_cast<int>(error.code()));
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ExitCode::kResources));
  for (const auto& [name, bytes] : contents(folder.path())) EXPECT_EQ(name, kLockName);
  EXPECT_EQ(run_job(folder.path(), small_key(100), 50).size(), 2U);
}

TEST(ThoughtCache, AFolderThatCannotBeWrittenIsAUsageError) {
  const TemporaryFolder folder;
  spill(folder.path() / "file", "x");
  error_of([&] { ThoughtCacheWriter(folder.path() / "file/cache", small_key(3)); },
           ExitCode::kUsage);
}

TEST(ThoughtCache, ALockThatWroteNothingLeavesNoFolderOfItsOwn) {
  const TemporaryFolder folder;
  { const CacheLock lock(folder.path() / "new"); }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "new"));
  { const CacheLock lock(folder.path()); }
  EXPECT_TRUE(std::filesystem::exists(folder.path()));
  {
    const CacheLock lock(folder.path() / "used");
    spill(folder.path() / "used/block", "x");
  }
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "used/block"));
}

}  // namespace
}  // namespace softcot
