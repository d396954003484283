#include "evaluation/sampling.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "evaluation/repetition_penalty.h"
#include "support/device.h"
#include "support/fixtures.h"
#include "support/tensors.h"

namespace softcot::test {
namespace {

RandomStream stream_of(std::uint64_t row) {
  return RandomStream(7, RandomPurpose::kSampling, {row, 0});
}

/// Rows that peak as a model's do: a few tokens with most of the mass, equal ones among them.
at::Tensor random_logits(std::int64_t rows, std::int64_t vocabulary) {
  at::manual_seed(3);
  auto logits = at::randn({rows, vocabulary}) * 3;
  logits.narrow(1, 5, 2).fill_(6);
  return logits;
}

TEST(SampleToken, TemperatureZeroTakesTheLowestOfTheLikeliest) {
  const auto logits = at::tensor({1.0f, 4.0f, 2.0f, 4.0f});
  auto stream = stream_of(0);
  EXPECT_EQ(sample_token(logits, {.temperature = 0}, stream), 1);
}

TEST(SampleToken, DrawsEachTokenAsOftenAsItsProbabilitySays) {
  const auto logits = at::tensor({0.0f, 1.0f, -1.0f, 0.5f});
  const double temperature = 0.8;
  const auto expected = (logits.to(at::kDouble) / temperature).softmax(0);
  auto stream = stream_of(0);
  constexpr int kDraws = 20000;
  std::vector<int> seen(4);
  for (int i = 0; i < kDraws; ++i) {
    ++seen[static_cast<std::size_t>(sample_token(logits, {.temperature = temperature}, stream))];
  }
  for (std::int64_t v = 0; v < 4; ++v) {
    const auto p = expected[v].item<double>();
    // Five standard deviations: the stream is fixed, so that this cannot fail now and then.
    EXPECT_NEAR(seen[static_cast<std::size_t>(v)], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p)));
  }
}

TEST(SampleToken, TopPKeepsTheSmallestSetOfThatMass) {
  const auto logits = at::tensor({0.5f, 0.3f, 0.15f, 0.05f}).log();
  auto stream = stream_of(1);
  std::vector<int> seen(4);
  for (int i = 0; i < 2000; ++i) {
    ++seen[static_cast<std::size_t>(
        sample_token(logits, {.temperature = 1, .top_p = 0.7}, stream))];
  }
  EXPECT_EQ(seen[2] + seen[3], 0);
  EXPECT_NEAR(seen[0], 2000 * 0.5 / 0.8, 120);
}

/// The ids that are ever drawn, on the host; on the device those with a probability are the same.
std::set<std::int64_t> support(const at::Tensor& logits, const SamplingOptions& options) {
  auto stream = stream_of(2);
  std::set<std::int64_t> drawn, possible;
  for (int i = 0; i < 4000; ++i) drawn.insert(sample_token(logits, options, stream));
  const auto left = token_probabilities(logits.unsqueeze(0).to(test_device()), options).cpu()[0];
  for (std::int64_t v = 0; v < left.numel(); ++v) {
    if (left[v].item<double>() > 0) possible.insert(v);
  }
  EXPECT_EQ(drawn, possible);
  EXPECT_NEAR(left.sum().item<double>(), 1, 1e-12);
  return drawn;
}

using Ids = std::set<std::int64_t>;

TEST(Filters, TopKKeepsAllThatEqualTheKth) {
  const auto logits = at::tensor({1.0f, 3.0f, 2.0f, 2.0f, 0.0f, 2.0f});
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 1}), Ids({1}));
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 2}), Ids({1, 2, 3, 5}));
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 4}), Ids({1, 2, 3, 5}));
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 5}), Ids({0, 1, 2, 3, 5}));
  for (const std::int64_t all : {0, 6, 7, 1000000}) {
    EXPECT_EQ(support(logits, {.temperature = 1, .top_k = all}).size(), 6U) << all;
  }
  EXPECT_EQ(support(at::tensor({2.0f, 2.0f, 1.0f}), {.temperature = 1, .top_k = 1}), Ids({0, 1}));
}

TEST(Filters, TopPCountsTheMassThatTopKLeaves) {
  const auto logits = at::tensor({0.4f, 0.3f, 0.2f, 0.1f}).log();
  // Of all 0.4 + 0.3 are more than 0.65; of the first two 0.4 is 0.57, of the first three 0.44.
  EXPECT_EQ(support(logits, {.temperature = 1, .top_p = 0.65}), Ids({0, 1}));
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 2, .top_p = 0.5}), Ids({0}));
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 3, .top_p = 0.5}), Ids({0, 1}));
  EXPECT_EQ(support(logits, {.temperature = 1, .top_k = 4, .top_p = 0.5}), Ids({0, 1}));
}

TEST(Filters, MinPIsAPartOfTheLikeliest) {
  const auto logits = at::tensor({0.4f, 0.1f, 0.3f, 0.2f}).log();
  EXPECT_EQ(support(logits, {.temperature = 1, .min_p = 0.6}), Ids({0, 2}));
  EXPECT_EQ(support(logits, {.temperature = 1, .min_p = 0.2}).size(), 4U);
  // At another temperature the ratios are others: (3 / 4)^2 is 0.56.
  EXPECT_EQ(support(logits, {.temperature = 0.5, .min_p = 0.6}), Ids({0}));
  // What top-p has removed stays away; the likeliest is always there.
  EXPECT_EQ(support(logits, {.temperature = 1, .top_p = 0.3, .min_p = 0.1}), Ids({0}));
  EXPECT_EQ(support(logits, {.temperature = 1, .min_p = 1}), Ids({0}));
  EXPECT_EQ(support(at::tensor({1.0f, 2.0f, 2.0f}), {.temperature = 1, .min_p = 1}), Ids({1, 2}));
}

TEST(Filters, AtTemperatureZeroTheyDoNothing) {
  auto stream = stream_of(3);
  EXPECT_EQ(sample_token(at::tensor({1.0f, 4.0f, 2.0f}),
                         {.temperature = 0, .top_k = 2, .top_p = 0.1, .min_p = 1}, stream),
            1);
}

// Row r of the fixture's logits goes with row r of its settings.
TEST(Filters, LeaveTransformersProbabilities) {
  const auto tensors = load_case(fixture_folder() / "sampling.safetensors");
  const auto& settings = tensors.at("settings");  // Temperature, top-k, top-p, min-p.
  for (std::int64_t r = 0; r < settings.size(0); ++r) {
    SCOPED_TRACE("row " + std::to_string(r));
    const auto setting = [&](std::int64_t i) { return settings[r][i].item<double>(); };
    // As float32 0.9 is 0.89999998: what the fixture was made with.
    const auto number = [&](std::int64_t i) { return std::round(setting(i) * 1e6) / 1e6; };
    const SamplingOptions options{.temperature = number(0),
                                  .top_k = static_cast<std::int64_t>(setting(1)),
                                  .top_p = number(2),
                                  .min_p = number(3)};
    const auto& logits = tensors.at("logits")[r];
    const auto expected = tensors.at("probabilities")[r].to(at::kDouble);
    const auto left = token_probabilities(logits.unsqueeze(0).to(test_device()), options).cpu()[0];
    EXPECT_TRUE(left.gt(0).equal(expected.gt(0)));
    EXPECT_LE(largest_difference(left, expected), 1e-6);
    auto stream = stream_of(static_cast<std::uint64_t>(r));
    for (int i = 0; i < 500; ++i) {
      EXPECT_GT(expected[sample_token(logits, options, stream)].item<double>(), 0);
    }
  }
}

TEST(RepetitionPenalty, DividesPositiveAndMultipliesNegativeLogitsOnce) {
  const std::vector<float> before = {3, -3, 0, 1, 2, -1};
  auto logits = at::tensor(before).repeat({3, 1}).to(test_device());
  CountedTokens counted, nothing, one;
  for (const std::int64_t id : {4, 0, 1, 4, 4, 2, 0}) counted.add(id);
  one.add(5);
  EXPECT_THAT(counted.ids(), testing::ElementsAre(0, 1, 2, 4));
  penalize_repetitions(logits, {&counted, &nothing, &one}, 2);
  EXPECT_TRUE(logits.cpu()[0].equal(at::tensor({1.5f, -6.0f, 0.0f, 1.0f, 1.0f, -1.0f})));
  EXPECT_TRUE(logits.cpu()[1].equal(at::tensor(before)));
  EXPECT_TRUE(logits.cpu()[2].equal(at::tensor({3.0f, -3.0f, 0.0f, 1.0f, 2.0f, -2.0f})));
  penalize_repetitions(logits, {&nothing, &nothing, &one}, 0.5);  // Below 1 it rewards.
  EXPECT_TRUE(logits.cpu()[2].equal(at::tensor(before)));
}

TEST(RepetitionPenalty, APromptCountsInScopeAllWithoutItsThoughts) {
  SoftRow prompt{.id = "", .ids = {9, 3, 3, 7, 3, 11, 12}, .target_begin = 5};
  SamplingOptions options{.repetition_penalty = 1.3};
  EXPECT_TRUE(counted_prompt(prompt, options).ids().empty());
  options.repetition_scope = RepetitionScope::kAll;
  EXPECT_THAT(counted_prompt(prompt, options).ids(), testing::ElementsAre(3, 7, 9));
  prompt.thought_begin = 1;
  prompt.thought_count = 2;
  EXPECT_THAT(counted_prompt(prompt, options).ids(), testing::ElementsAre(3, 7, 9));
  prompt.ids[4] = 8;
  EXPECT_THAT(counted_prompt(prompt, options).ids(), testing::ElementsAre(7, 8, 9));
  options.repetition_penalty = 1;
  EXPECT_TRUE(counted_prompt(prompt, options).ids().empty());
}

TEST(SamplingKey, HoldsWhatDecidesTokens) {
  EXPECT_EQ(sampling_key({}), "");
  EXPECT_EQ(sampling_key({.temperature = 1, .top_p = 0.9}), "");
  EXPECT_EQ(sampling_key({.temperature = 0, .top_k = 5, .min_p = 0.1}), "");
  const SamplingOptions all{.temperature = 1,
                            .top_k = 5,
                            .min_p = 0.1,
                            .repetition_penalty = 1.05,
                            .repetition_scope = RepetitionScope::kAll};
  EXPECT_EQ(sampling_key(all), " top-k 5 min-p 0.1 repetition 1.05 all");
  EXPECT_EQ(sampling_key(greedy(all)), " repetition 1.05 all");
  EXPECT_EQ(sampling_key({.repetition_penalty = 1.05}), " repetition 1.05 written");
}

TEST(SampleTokens, AreThoseOfSampleToken) {
  constexpr std::int64_t kRows = 64;
  const auto logits = random_logits(kRows, 4099);
  std::vector<SamplingOptions> all;
  for (const double temperature : {0.6, 1.0, 2.5}) {
    for (const double top_p : {1.0, 0.95, 0.3, 1e-9}) {
      all.push_back({.temperature = temperature, .top_p = top_p});
    }
  }
  for (const std::int64_t top_k : {1, 50, 100000}) {
    all.push_back({.temperature = 0.9, .top_k = top_k});
    all.push_back({.temperature = 0.9, .top_k = top_k, .top_p = 0.8, .min_p = 0.02});
  }
  all.push_back({.temperature = 1, .min_p = 0.02});
  all.push_back({.temperature = 1, .min_p = 1});
  for (const SamplingOptions& options : all) {
    std::vector<std::int64_t> expected;
    std::vector<double> draws;
    for (std::int64_t r = 0; r < kRows; ++r) {
      auto stream = stream_of(static_cast<std::uint64_t>(r)), copy = stream;
      expected.push_back(sample_token(logits[r], options, stream));
      draws.push_back(copy.uniform());
    }
    const auto device = test_device();
    const auto tokens =
        sample_tokens(logits.to(device), options, at::tensor(draws, at::kDouble).to(device));
    EXPECT_TRUE(tokens.cpu().equal(at::tensor(expected, at::kLong)))
        << "temperature " << options.temperature << ", top-k " << options.top_k << ", top-p "
        << options.top_p << ", min-p " << options.min_p;
  }
}

TEST(SampleTokens, ImpossibleTokensAreNeverDrawn) {
  auto logits = at::full({1, 8}, -std::numeric_limits<float>::infinity());
  logits[0][3] = 0;
  for (const double draw : {0.0, 0.5, std::nextafter(1.0, 0.0)}) {
    for (const double top_p : {1.0, 0.5}) {
      const auto tokens =
          sample_tokens(logits.to(test_device()), {.temperature = 1, .top_p = top_p},
                        at::tensor({draw}, at::kDouble).to(test_device()));
      EXPECT_EQ(tokens.item<std::int64_t>(), 3) << draw;
    }
  }
}

}  // namespace
}  // namespace softcot::test
