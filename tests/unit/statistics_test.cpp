#include "evaluation/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/error.h"
#include "runtime/random.h"

namespace softcot {
namespace {

TEST(Statistics, ProportionHasBinomialErrorAndWilsonInterval) {
  // 81 % of 1319 questions: the standard error of one run of GSM8K is 1.08 points.
  const Proportion gsm8k = proportion(1068, 1319);
  EXPECT_NEAR(gsm8k.standard_error, 0.0108, 5e-5);
  // Wilson's interval for 8 of 10, computed by hand from the formula with z = 1.96.
  const Proportion small = proportion(8, 10);
  EXPECT_DOUBLE_EQ(small.value, 0.8);
  EXPECT_NEAR(small.standard_error, 0.126491, 1e-6);
  EXPECT_NEAR(small.wilson95.low, 0.490162, 1e-6);
  EXPECT_NEAR(small.wilson95.high, 0.943318, 1e-6);
  // None of 50: the upper end is z^2 / (n + z^2).
  const Proportion none = proportion(0, 50);
  EXPECT_EQ(none.standard_error, 0);
  EXPECT_EQ(none.wilson95.low, 0);
  EXPECT_NEAR(none.wilson95.high, 3.841459 / 53.841459, 1e-6);
  EXPECT_EQ(proportion(50, 50).wilson95.high, 1);
  EXPECT_THROW(proportion(0, 0), Error);
  EXPECT_THROW(proportion(2, 1), Error);
}

TEST(Statistics, WilsonMirrorsAndHoldsTheValue) {
  for (std::size_t n = 1; n <= 40; ++n) {
    for (std::size_t k = 0; k <= n; ++k) {
      const Proportion p = proportion(k, n);
      const Proportion mirrored = proportion(n - k, n);
      EXPECT_NEAR(p.wilson95.low, 1 - mirrored.wilson95.high, 1e-12);
      EXPECT_LE(p.wilson95.low, p.value);
      EXPECT_GE(p.wilson95.high, p.value);
      EXPECT_LT(p.wilson95.low, p.wilson95.high);
      EXPECT_GE(p.wilson95.low, 0);
      EXPECT_LE(p.wilson95.high, 1);
    }
  }
}

TEST(Statistics, SpreadOverSeeds) {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  const Spread known = spread(values);
  EXPECT_DOUBLE_EQ(known.mean, 5);
  EXPECT_DOUBLE_EQ(*known.deviation, std::sqrt(32.0 / 7));
  EXPECT_FALSE(spread(std::vector<double>{3}).deviation.has_value());
  EXPECT_THROW(spread({}), Error);
}

TEST(Statistics, BootstrapOfEqualQuestionsHasNoWidth) {
  const std::vector<double> left(30, 2.5);
  const std::vector<double> right(30, 1.0);
  const Estimate estimate = paired_mean_difference(left, right);
  EXPECT_DOUBLE_EQ(estimate.value, 1.5);
  EXPECT_DOUBLE_EQ(estimate.interval.low, 1.5);
  EXPECT_DOUBLE_EQ(estimate.interval.high, 1.5);
}

TEST(Statistics, BootstrapAgreesWithTheNormalApproximation) {
  RandomStream draws(5, RandomPurpose::kTest);
  std::vector<double> left(400);
  std::vector<double> right(400);
  std::vector<double> difference(400);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double hardness = 10 * draws.normal();
    left[i] = hardness + draws.normal();
    right[i] = hardness + draws.normal() - 0.5;
    difference[i] = left[i] - right[i];
  }
  const Spread exact = spread(difference);
  const Estimate estimate = paired_mean_difference(left, right);
  const double half = 1.96 * *exact.deviation / 20;
  EXPECT_NEAR(estimate.value, exact.mean, 1e-12);
  EXPECT_NEAR(estimate.interval.low, exact.mean - half, 0.1 * half);
  EXPECT_NEAR(estimate.interval.high, exact.mean + half, 0.1 * half);
  // Pairing removes the hardness of a question, ten times as large as the noise.
  const std::vector<double> zeros(400, 0.0);
  const Estimate alone = paired_mean_difference(left, zeros);
  EXPECT_GT(alone.interval.high - alone.interval.low,
            5 * (estimate.interval.high - estimate.interval.low));
}

// Of 200 samples from a known distribution, about 95 % of the intervals must hold the true mean.
TEST(Statistics, BootstrapIntervalsCover) {
  int held = 0;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    RandomStream draws(trial, RandomPurpose::kTest);
    std::vector<double> values(60);
    for (double& value : values) value = -std::log(1 - draws.uniform());
    const std::vector<double> zeros(values.size(), 0.0);
    const Estimate estimate =
        paired_mean_difference(values, zeros, {.seed = trial, .resamples = 1000, .level = 0.95});
    held += estimate.interval.low <= 1 && 1 <= estimate.interval.high ? 1 : 0;
  }
  EXPECT_GE(held, 178);
  EXPECT_LE(held, 199);
}

TEST(Statistics, BootstrapIsAFunctionOfItsSeed) {
  const std::vector<double> left = {1, 5, 2, 8, 4, 9};
  const std::vector<double> right = {2, 3, 2, 1, 7, 1};
  const Estimate once =
      paired_mean_difference(left, right, {.seed = 1, .resamples = 500, .level = 0.95});
  const Estimate again =
      paired_mean_difference(left, right, {.seed = 1, .resamples = 500, .level = 0.95});
  const Estimate narrow =
      paired_mean_difference(left, right, {.seed = 1, .resamples = 500, .level = 0.5});
  EXPECT_EQ(once.interval.low, again.interval.low);
  EXPECT_EQ(once.interval.high, again.interval.high);
  EXPECT_GT(narrow.interval.low, once.interval.low);
  EXPECT_LT(narrow.interval.high, once.interval.high);
  // Swapping the methods mirrors the interval exactly: the same questions are drawn.
  const Estimate swapped =
      paired_mean_difference(right, left, {.seed = 1, .resamples = 500, .level = 0.95});
  EXPECT_NEAR(swapped.interval.low, -once.interval.high, 1e-12);
  EXPECT_NEAR(swapped.interval.high, -once.interval.low, 1e-12);
}

TEST(Statistics, RatioOfSumsWeighsQuestionsByTheirTokens) {
  const std::vector<double> nll = {10, 90};
  const std::vector<double> tokens = {10, 30};
  const Estimate ratio = ratio_of_sums(nll, tokens);
  EXPECT_DOUBLE_EQ(ratio.value, 100.0 / 40);  // Not (1 + 3) / 2.
  // Three outcomes: both the first (1), mixed (2.5), both the second (3).
  EXPECT_DOUBLE_EQ(ratio.interval.low, 1);
  EXPECT_DOUBLE_EQ(ratio.interval.high, 3);
}

TEST(Statistics, PairedRatiosGiveNatsAndShare) {
  const std::vector<double> right_nll = {12, 33, 21, 47};
  const std::vector<double> tokens = {10, 20, 15, 30};
  std::vector<double> left_nll;
  for (const double nll : right_nll) left_nll.push_back(0.8 * nll);
  const PairedRatios pair = paired_ratio_difference(left_nll, tokens, right_nll, tokens);
  EXPECT_NEAR(pair.difference.value, -0.2 * 113 / 75, 1e-12);
  EXPECT_NEAR(pair.relative.value, -0.2, 1e-12);
  // The gain is the same share of every question, so its interval has no width.
  EXPECT_NEAR(pair.relative.interval.low, -0.2, 1e-12);
  EXPECT_NEAR(pair.relative.interval.high, -0.2, 1e-12);
  EXPECT_LT(pair.difference.interval.low, pair.difference.interval.high);
  EXPECT_THROW(paired_ratio_difference(left_nll, tokens, right_nll, std::vector<double>{1}), Error);
  EXPECT_THROW(ratio_of_sums({}, {}), Error);
}

TEST(Statistics, WilsonTakesSharesOfAQuestion) {
  EXPECT_EQ(wilson95(0.8, 10).low, proportion(8, 10).wilson95.low);
  EXPECT_EQ(wilson95(0, 20).low, 0);
  EXPECT_NEAR(wilson95(0, 20).high, 0.1611, 1e-4);
  EXPECT_EQ(wilson95(1, 20).high, 1);
  EXPECT_GT(wilson95(0.5, 7.5).high, wilson95(0.5, 8).high);
}

TEST(Statistics, HolmAdjustsTheClearestMost) {
  const std::vector<double> p = {0.04, 0.01, 0.03, 0.9};
  const std::vector<double> adjusted = holm_adjusted(p);
  EXPECT_NEAR(adjusted[1], 4 * 0.01, 1e-12);
  EXPECT_NEAR(adjusted[2], 3 * 0.03, 1e-12);
  EXPECT_NEAR(adjusted[0], 3 * 0.03, 1e-12) << "not below that of a clearer one";
  EXPECT_NEAR(adjusted[3], 0.9, 1e-12);
  EXPECT_EQ(holm_adjusted(std::vector{0.02}), std::vector{0.02});
  EXPECT_TRUE(holm_adjusted({}).empty());
}

/// The change of `lines` lines that do nothing, over shared questions.
std::vector<PairedRatios> idle_lines(std::uint64_t trial, int lines, int questions) {
  RandomStream draws(trial, RandomPurpose::kTest);
  const auto count = static_cast<std::size_t>(questions);
  std::vector<double> baseline(count);
  const std::vector<double> tokens(count, 1.0);
  for (double& value : baseline) value = 1 + draws.uniform();
  std::vector<PairedRatios> changes;
  for (int line = 0; line < lines; ++line) {
    std::vector<double> own(count);
    for (std::size_t i = 0; i < count; ++i) own[i] = baseline[i] + 0.2 * (draws.uniform() - 0.5);
    changes.push_back(paired_ratio_difference(own, tokens, baseline, tokens,
                                              {.seed = trial, .resamples = 200, .level = 0.95}));
  }
  return changes;
}

TEST(Statistics, SimultaneousIntervalsHoldTogether) {
  int alone = 0;
  int together = 0;
  constexpr int kTrials = 100;
  for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values;
    std::vector<std::vector<double>> resampled;
    bool crowned = false;
    for (const PairedRatios& change : idle_lines(trial, 24, 200)) {
      values.push_back(change.relative.value);
      resampled.push_back(change.resampled);
      crowned = crowned || change.relative.interval.high < 0;
    }
    alone += crowned ? 1 : 0;
    const auto intervals = simultaneous_intervals(values, resampled);
    together += std::any_of(intervals.begin(), intervals.end(),
                            [](const Interval& each) { return each.high < 0; })
                    ? 1
                    : 0;
  }
  EXPECT_GT(alone, kTrials / 4) << "of 24 lines that do nothing one looks better";
  EXPECT_LE(together, 6) << "2.5 by chance";
}

TEST(Statistics, SimultaneousIntervalsOfOneLineAreItsOwn) {
  const auto change = idle_lines(1, 1, 200);
  const std::vector<double> values = {change[0].relative.value};
  const std::vector<std::vector<double>> resampled(2, change[0].resampled);
  const auto one = simultaneous_intervals(values, std::span(resampled).first(1));
  const double width = change[0].relative.interval.high - change[0].relative.interval.low;
  EXPECT_NEAR(one[0].low, change[0].relative.interval.low, 0.1 * width);
  EXPECT_NEAR(one[0].high, change[0].relative.interval.high, 0.1 * width);
  // Twice the same line is one line.
  const std::vector<double> twice = {values[0], values[0]};
  const auto same = simultaneous_intervals(twice, resampled);
  EXPECT_EQ(same[1].low, one[0].low);
  const std::vector<std::vector<double>> equal = {{2, 2, 2}};
  EXPECT_EQ(simultaneous_intervals(std::vector{2.0}, equal)[0].high, 2);
  EXPECT_TRUE(simultaneous_intervals({}, {}).empty());
}

TEST(Statistics, McNemarIsTheExactBinomialTest) {
  EXPECT_DOUBLE_EQ(mcnemar_exact_p(0, 0), 1);
  EXPECT_NEAR(mcnemar_exact_p(0, 1), 1, 1e-12);
  EXPECT_NEAR(mcnemar_exact_p(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_exact_p(1, 9), 2 * 11.0 / 1024, 1e-12);
  EXPECT_NEAR(mcnemar_exact_p(2, 8), 2 * 56.0 / 1024, 1e-12);
  EXPECT_NEAR(mcnemar_exact_p(5, 5), 1, 1e-12);
  EXPECT_NEAR(mcnemar_exact_p(9, 1), mcnemar_exact_p(1, 9), 1e-15);
  // Far in the tail and for thousands of questions it is still a probability.
  EXPECT_NEAR(mcnemar_exact_p(0, 60) / std::pow(2.0, -59), 1, 1e-10);
  EXPECT_NEAR(mcnemar_exact_p(5000, 5000), 1, 1e-9);
  EXPECT_GE(mcnemar_exact_p(0, 100'000), 0);
}

TEST(Statistics, McNemarOverSeedsTrustsNoSingleOne) {
  using Seeds = std::vector<Discordance>;
  for (const Discordance& one : Seeds{{0, 0}, {5, 0}, {2, 8}, {9, 1}, {40, 41}}) {
    EXPECT_DOUBLE_EQ(mcnemar_p_over_seeds(Seeds{one}),
                     mcnemar_exact_p(one.only_left, one.only_right));
  }
  // Of two the larger; of three 3/2 of the second; of five 5/3 of the third.
  EXPECT_NEAR(mcnemar_p_over_seeds(Seeds{{10, 0}, {5, 0}}), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_p_over_seeds(Seeds{{10, 0}, {3, 3}, {8, 0}}), 1.5 * 2 / 256, 1e-12);
  EXPECT_NEAR(mcnemar_p_over_seeds(Seeds{{0, 9}, {0, 7}, {0, 10}, {0, 0}, {1, 0}}),
              5.0 / 3 * 2 / 128, 1e-12);
  // Clear, but each way: nothing. The order of seeds does not matter, nor which method is left.
  EXPECT_DOUBLE_EQ(mcnemar_p_over_seeds(Seeds{{20, 0}, {0, 20}}), 1);
  EXPECT_DOUBLE_EQ(mcnemar_p_over_seeds(Seeds{{7, 1}, {2, 3}, {9, 0}}),
                   mcnemar_p_over_seeds(Seeds{{0, 9}, {1, 7}, {3, 2}}));
  EXPECT_THROW(mcnemar_p_over_seeds({}), Error);

  // If there is no difference, a p below 5 % is rarer than that, for independent seeds and for one
  // seed five times over.
  RandomStream draws(1, RandomPurpose::kBootstrap, {7});
  int rejected = 0;
  int rejected_same = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    Seeds seeds(5);
    for (Discordance& seed : seeds) {
      for (int q = 0; q < 60; ++q) ++(draws.next_u64() >> 63 ? seed.only_left : seed.only_right);
    }
    rejected += mcnemar_p_over_seeds(seeds) < 0.05 ? 1 : 0;
    rejected_same += mcnemar_p_over_seeds(Seeds(5, seeds[0])) < 0.05 ? 1 : 0;
  }
  EXPECT_LT(rejected, 0.05 * kTrials);
  EXPECT_LT(rejected_same, 0.05 * kTrials);
  EXPECT_GT(rejected_same, 0);
}

TEST(Statistics, PassAtKCountsWithoutReplacement) {
  EXPECT_DOUBLE_EQ(pass_at_each_k(10, 0)[4], 0);
  EXPECT_DOUBLE_EQ(pass_at_each_k(10, 10)[0], 1);
  EXPECT_NEAR(pass_at_each_k(10, 3)[0], 0.3, 1e-12);
  EXPECT_NEAR(pass_at_each_k(5, 2)[1], 1 - 3.0 / 10, 1e-12);  // C(3,2) / C(5,2).
  EXPECT_DOUBLE_EQ(pass_at_each_k(5, 2)[3], 1);
  const std::vector<double> curve = pass_at_each_k(20, 4);
  ASSERT_EQ(curve.size(), 20u);
  EXPECT_TRUE(std::is_sorted(curve.begin(), curve.end()));
  EXPECT_THROW(pass_at_each_k(3, 4), Error);
  EXPECT_TRUE(pass_at_each_k(0, 0).empty());
}

}  // namespace
}  // namespace softcot
