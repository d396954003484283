#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <numeric>

#include "data/thought_cache_manifest.h"
#include "data/thought_cache_reader.h"
#include "data/thought_cache_verify.h"
#include "runtime/random.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/thought_caches.h"

namespace softcot {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

constexpr std::int64_t kRows = 11;
constexpr std::int64_t kBlockRows = 4;

void read_all(const std::filesystem::path& folder, const ThoughtCacheOptions& options = {}) {
  ThoughtCache cache = ThoughtCache::open(folder, small_key(kRows), options);
  std::vector<std::int64_t> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  cache.read(rows);
}

/// Damages each file of a cache in turn, and puts it back.
class ThoughtCacheDamage : public ::testing::Test {
 protected:
  void SetUp() override {
    run_job(folder_.path(), small_key(kRows), kBlockRows);
    files_ = contents(folder_.path());
    ASSERT_EQ(files_.size(), 5U);  // 3 blocks, index, manifest.
  }

  /// `bytes` in place of `name` is found by verify, which names this file and no other, and, but
  /// for the index, by whoever reads.
  void expect_found(const std::string& name, const std::string& bytes, const std::string& how) {
    spill(folder_.path() / name, bytes);
    const CacheHealth health = verify_thought_cache(folder_.path());
    ASSERT_EQ(health.damaged.size(), 1U) << name << " " << how;
    ASSERT_EQ(health.damaged[0].file, name) << how;
    ASSERT_FALSE(health.damaged[0].reason.empty()) << how;
    if (name != kIndexName) {
      ASSERT_THAT(error_of([&] { read_all(folder_.path()); }, ExitCode::kCache), HasSubstr(name))
          << how;
    }
    ++found_;
  }

  TemporaryFolder folder_;
  std::vector<std::pair<std::string, std::string>> files_;
  int found_ = 0;
};

TEST_F(ThoughtCacheDamage, AFlippedBitIsFoundWhereverItIs) {
  RandomStream random(21, RandomPurpose::kTest);
  for (const auto& [name, good] : files_) {
    // Every 13th byte, and all of the start, where most of the structure is.
    for (std::size_t place = 0; place < good.size(); place += place < 64 ? 1 : 13) {
      std::string bad = good;
      bad[place] = static_cast<char>(bad[place] ^ (1 << random.below(8)));
      expect_found(name, bad, "byte " + std::to_string(place));
      if (HasFatalFailure()) return;
    }
    spill(folder_.path() / name, good);
  }
  std::cout << found_ << " flipped bits, all found\n";
  EXPECT_GE(found_, 40);
}

TEST_F(ThoughtCacheDamage, ATruncationIsFoundWhereverItIs) {
  RandomStream random(22, RandomPurpose::kTest);
  for (const auto& [name, good] : files_) {
    std::vector<std::size_t> sizes = {0, 1, 511, 512, 513, good.size() - 1};
    for (int i = 0; i < 40; ++i) sizes.push_back(random.below(good.size()));
    for (const std::size_t size : sizes) {
      if (size >= good.size()) continue;
      expect_found(name, good.substr(0, size), "cut to " + std::to_string(size));
      if (HasFatalFailure()) return;
    }
    expect_found(name, good + '\0', "one byte longer");
    spill(folder_.path() / name, good);
  }
  std::cout << found_ << " truncations, all found\n";
}

TEST_F(ThoughtCacheDamage, WithoutTheSealTheDataChecksumStillFinds) {
  const std::string& good = files_[0].second;
  const auto row = block_thoughts({small_key(kRows), kBlockRows}, 0);
  const std::string data(reinterpret_cast<const char*>(row.data() + 30), 120);
  const std::size_t place = good.find(data);
  ASSERT_NE(place, std::string::npos);
  const ThoughtCacheOptions trusting{.verify_on_first_read = false};
  for (std::size_t i = 0; i < data.size(); ++i) {
    std::string bad = good;
    bad[place + i] = static_cast<char>(bad[place + i] ^ 4);
    spill(folder_.path() / files_[0].first, bad);
    EXPECT_THAT(error_of([&] { read_all(folder_.path(), trusting); }, ExitCode::kCache),
                HasSubstr(files_[0].first));
  }
  spill(folder_.path() / files_[0].first, good);
  EXPECT_NO_THROW(read_all(folder_.path(), trusting));
}

TEST_F(ThoughtCacheDamage, RepairRedoesOnlyWhatIsDamaged) {
  for (const auto& [name, good] : files_) {
    std::string bad = good;
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    spill(folder_.path() / name, bad);
    const CacheHealth health = verify_thought_cache(folder_.path());
    {
      const CacheLock lock(folder_.path());
      EXPECT_EQ(repair_thought_cache(lock, health), 1);
    }
    const auto redone = run_job(folder_.path(), small_key(kRows), kBlockRows);
    const auto block = block_index(name);
    EXPECT_EQ(redone, block ? std::vector<std::int64_t>{*block} : std::vector<std::int64_t>{});
    EXPECT_EQ(contents(folder_.path()), files_);
    EXPECT_TRUE(verify_thought_cache(folder_.path()).sound());
  }
}

TEST_F(ThoughtCacheDamage, PrecomputeAloneRedoesADamagedBlock) {
  for (const auto& [name, good] : files_) {
    if (name == kIndexName) continue;  // Nothing of ours reads it; `inspect --verify` finds it.
    std::string bad = good;
    bad[bad.size() - 5] = static_cast<char>(bad[bad.size() - 5] ^ 1);
    spill(folder_.path() / name, bad);
    EXPECT_EQ(run_job(folder_.path(), small_key(kRows), kBlockRows).size(),
              block_index(name) ? 1U : 0U);
    EXPECT_EQ(contents(folder_.path()), files_) << name;
  }
}

TEST_F(ThoughtCacheDamage, VerifyReportsSeveralFilesAtOnce) {
  spill(folder_.path() / files_[0].first, "");
  spill(folder_.path() / files_[2].first, "x");
  std::filesystem::remove(folder_.path() / kManifestName);
  const CacheHealth health = verify_thought_cache(folder_.path());
  EXPECT_EQ(health.damaged.size(), 2U);
  EXPECT_FALSE(health.finished);
  EXPECT_EQ(health.sound_blocks, 1);
  ASSERT_TRUE(health.layout.has_value());
  EXPECT_EQ(health.layout->key, small_key(kRows));
}

}  // namespace
}  // namespace softcot
