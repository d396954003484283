#include "runtime/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace softcot {
namespace {

RandomStream stream() { return RandomStream(42, RandomPurpose::kTest, {1, 2}); }

// Golden values out of an independent implementation of the documented algorithm: results on disk
// were made with these numbers, so they may never change.
TEST(RandomTest, GoldenDraws) {
  RandomStream random = stream();
  for (const std::uint64_t expected :
       {0xb55d2370e23e03d1, 0xe8caa140d0827edc, 0x83b8daca3aabe8e4, 0xa7724f34d5ec4369}) {
    EXPECT_EQ(random.next_u64(), expected);
  }
  RandomStream without_keys(0, RandomPurpose::kTest);
  EXPECT_EQ(without_keys.next_u64(), 0x1eda7436ca41325cu);
}

TEST(RandomTest, GoldenUniformBelowNormalAndPermutation) {
  RandomStream uniform = stream();
  EXPECT_EQ(uniform.uniform(), 0.7084524298281778);
  EXPECT_EQ(uniform.uniform(), 0.9093418868292334);
  RandomStream below = stream();
  for (const std::uint64_t expected : {1, 8, 4, 3, 1, 8, 6, 6, 7, 9}) {
    EXPECT_EQ(below.below(10), expected);
  }
  RandomStream normal = stream();
  EXPECT_NEAR(normal.normal(), 1.3221596798563728, 1e-14);
  EXPECT_NEAR(normal.normal(), -0.6814303268429999, 1e-14);
  EXPECT_EQ(permutation(10, 7, 3), (std::vector<std::uint64_t>{2, 7, 4, 1, 5, 8, 9, 0, 6, 3}));
}

TEST(RandomTest, EveryPartOfTheKeyMatters) {
  std::set<std::uint64_t> seen;
  std::size_t streams = 0;
  const auto add = [&](RandomStream random) {
    seen.insert(random.next_u64());
    ++streams;
  };
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    for (const auto purpose : {RandomPurpose::kDataOrder, RandomPurpose::kSampling}) {
      add(RandomStream(seed, purpose));
      for (std::uint64_t a = 0; a < 8; ++a) {
        add(RandomStream(seed, purpose, {a}));
        for (std::uint64_t b = 0; b < 8; ++b) add(RandomStream(seed, purpose, {a, b}));
      }
    }
  }
  EXPECT_EQ(seen.size(), streams);
}

TEST(RandomTest, SkippingContinuesAStream) {
  RandomStream whole = stream();
  for (int i = 0; i < 5; ++i) whole.next_u64();
  RandomStream resumed = stream();
  resumed.skip_to(whole.drawn());
  EXPECT_EQ(resumed.next_u64(), whole.next_u64());
}

TEST(RandomTest, UniformFillsItsRangeEvenly) {
  RandomStream random(1, RandomPurpose::kTest);
  constexpr int kDraws = 200'000;
  constexpr int kCells = 20;
  std::vector<int> cells(kCells);
  for (int i = 0; i < kDraws; ++i) {
    const double drawn = random.uniform();
    ASSERT_GE(drawn, 0.0);
    ASSERT_LT(drawn, 1.0);
    ++cells[static_cast<std::size_t>(drawn * kCells)];
  }
  double chi_square = 0;
  for (const int count : cells) {
    const double expected = static_cast<double>(kDraws) / kCells;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 43.8);  // 19 degrees of freedom, p = 0.001
}

TEST(RandomTest, BelowIsUnbiasedForABoundThatDoesNotDivide) {
  // With bound 3·2^62 plain remainders would put 2/4 of all draws into the first third.
  RandomStream random(2, RandomPurpose::kTest);
  const std::uint64_t bound = std::uint64_t{3} << 62;
  int first_third = 0;
  for (int i = 0; i < 30'000; ++i) first_third += random.below(bound) < bound / 3 ? 1 : 0;
  EXPECT_NEAR(first_third, 10'000, 350);  // 4.3 standard deviations
  EXPECT_EQ(random.below(1), 0u);
}

TEST(RandomTest, NormalHasItsMoments) {
  RandomStream random(3, RandomPurpose::kTest);
  constexpr int kDraws = 100'000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double drawn = random.normal();
    ASSERT_TRUE(std::isfinite(drawn));
    sum += drawn;
    squares += drawn * drawn;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.0135);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.019);
}

TEST(RandomTest, PermutationHoldsEachOnceAndChangesWithTheEpoch) {
  std::vector<std::uint64_t> order = permutation(1000, 5, 0);
  EXPECT_NE(order, permutation(1000, 5, 1));
  EXPECT_NE(order, permutation(1000, 6, 0));
  std::sort(order.begin(), order.end());
  std::vector<std::uint64_t> expected(1000);
  std::iota(expected.begin(), expected.end(), std::uint64_t{0});
  EXPECT_EQ(order, expected);
  EXPECT_TRUE(permutation(0, 5, 0).empty());
}

}  // namespace
}  // namespace softcot
