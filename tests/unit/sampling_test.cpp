#include "evaluation/sampling.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/device.h"

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

TEST(SampleTokens, AreThoseOfSampleToken) {
  constexpr std::int64_t kRows = 64;
  const auto logits = random_logits(kRows, 4099);
  for (const double top_p : {1.0, 0.95, 0.3, 1e-9}) {
    for (const double temperature : {0.6, 1.0, 2.5}) {
      const SamplingOptions options{.temperature = temperature, .top_p = top_p};
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
          << "top-p " << top_p << ", temperature " << temperature;
    }
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
