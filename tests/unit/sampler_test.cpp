#include "data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "runtime/error.h"

namespace softcot {
namespace {

std::vector<std::int64_t> take(EpochSampler& sampler, std::int64_t steps, std::int64_t batch) {
  std::vector<std::int64_t> all;
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto rows = sampler.global_batch(step, batch);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

TEST(Sampler, EveryRowComesOnceAnEpochWhateverTheBatch) {
  for (const std::int64_t rows : {1, 7, 10, 64}) {
    for (const std::int64_t batch : {1, 3, 8, 25}) {
      EpochSampler sampler(rows, 5);
      const std::int64_t steps = (4 * rows + batch - 1) / batch;
      const auto all = take(sampler, steps, batch);
      for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
        const std::set<std::int64_t> seen(all.begin() + epoch * rows,
                                          all.begin() + (epoch + 1) * rows);
        ASSERT_EQ(static_cast<std::int64_t>(seen.size()), rows) << rows << " " << batch;
        EXPECT_EQ(*seen.begin(), 0);
        EXPECT_EQ(*seen.rbegin(), rows - 1);
      }
    }
  }
}

TEST(Sampler, TheOrderDoesNotDependOnTheBatchSize) {
  EpochSampler a(50, 9);
  EpochSampler b(50, 9);
  EXPECT_EQ(take(a, 60, 5), take(b, 20, 15));
}

TEST(Sampler, AStepAloneSaysItsBatch) {
  EpochSampler whole(31, 2);
  const auto all = take(whole, 40, 4);
  for (std::int64_t step = 39; step >= 0; --step) {
    EpochSampler resumed(31, 2);
    const auto batch = resumed.global_batch(step, 4);
    EXPECT_TRUE(std::equal(batch.begin(), batch.end(), all.begin() + step * 4)) << step;
  }
}

TEST(Sampler, SeedsAndEpochsDiffer) {
  EpochSampler a(100, 1);
  EpochSampler b(100, 2);
  EXPECT_NE(a.global_batch(0, 100), b.global_batch(0, 100));
  EXPECT_NE(a.global_batch(0, 100), a.global_batch(1, 100));
}

TEST(Sampler, PositionsAreSpreadEvenly) {
  // Of 2000 epochs, each row stands first in about a tenth: 200 ± 5 standard deviations (13.4).
  EpochSampler sampler(10, 77);
  std::map<std::int64_t, int> first;
  for (std::int64_t epoch = 0; epoch < 2000; ++epoch) ++first[sampler.global_batch(epoch, 10)[0]];
  for (std::int64_t row = 0; row < 10; ++row) EXPECT_NEAR(first[row], 200, 67) << row;
}

TEST(Sampler, SharesAreDisjointAndTogetherTheBatch) {
  std::vector<std::int64_t> batch(23);
  std::iota(batch.begin(), batch.end(), 100);
  for (const std::int64_t dp : {1, 2, 3, 4, 8, 23}) {
    std::vector<std::int64_t> joined;
    for (std::int64_t rank = 0; rank < dp; ++rank) {
      const auto share = rank_share(batch, rank, dp);
      EXPECT_LE(static_cast<std::int64_t>(share.size()), (23 + dp - 1) / dp);
      EXPECT_GE(static_cast<std::int64_t>(share.size()), 23 / dp);
      joined.insert(joined.end(), share.begin(), share.end());
    }
    EXPECT_EQ(joined, batch) << dp;
  }
}

TEST(Sampler, AnotherNumberOfReplicasSeesTheSameData) {
  // 6 steps on 2 replicas, 6 on 4, 6 on 1: one epoch of 72 rows, none lost, none twice.
  std::multiset<std::int64_t> seen;
  for (std::int64_t step = 0; step < 18; ++step) {
    const std::int64_t dp = step < 6 ? 2 : step < 12 ? 4 : 1;
    for (std::int64_t rank = 0; rank < dp; ++rank) {
      EpochSampler sampler(72, 3);
      for (const std::int64_t row : rank_share(sampler.global_batch(step, 4), rank, dp)) {
        seen.insert(row);
      }
    }
  }
  EXPECT_EQ(seen.size(), 72U);
  EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.end()).size(), 72U);
}

TEST(Sampler, RefusesWhatIsNoBatch) {
  EXPECT_THROW(EpochSampler(0, 1), Error);
  EpochSampler sampler(4, 1);
  EXPECT_THROW(sampler.global_batch(-1, 2), Error);
  EXPECT_THROW(sampler.global_batch(0, 0), Error);
  EXPECT_THROW(sampler.global_batch(std::numeric_limits<std::int64_t>::max(), 2), Error);
  EXPECT_THROW(rank_share(std::vector<std::int64_t>{1, 2}, 2, 2), Error);
}

}  // namespace
}  // namespace softcot
