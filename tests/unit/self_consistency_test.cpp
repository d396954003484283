#include "evaluation/self_consistency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace softcot {
namespace {

/// "" for no answer.
std::vector<VotingAnswer> answers(const std::vector<std::string>& given, const std::string& right) {
  std::vector<VotingAnswer> votes;
  for (const std::string& answer : given) {
    if (answer.empty()) {
      votes.push_back({std::nullopt, false});
    } else {
      votes.push_back({answer, answer == right});
    }
  }
  return votes;
}

TEST(VoteIsRight, TakesTheMostFrequentAndOnATieTheFirst) {
  EXPECT_TRUE(vote_is_right(answers({"1", "2", "2"}, "2"), VoteRule::kStrict));
  EXPECT_TRUE(vote_is_right(answers({"1", "2", "2", "1"}, "1"), VoteRule::kStrict));
  EXPECT_TRUE(vote_is_right(answers({"2", "1", "1", "2"}, "2"), VoteRule::kStrict));
  EXPECT_FALSE(vote_is_right(answers({"2", "1", "1", "2"}, "1"), VoteRule::kStrict));
  EXPECT_FALSE(vote_is_right({}, VoteRule::kStrict));
}

TEST(VoteIsRight, MissingAnswersFollowTheRule) {
  EXPECT_TRUE(vote_is_right(answers({"", "", "", "4"}, "4"), VoteRule::kStrict));
  // The reference lets "no answer" hold one vote, and here it came first.
  EXPECT_FALSE(vote_is_right(answers({"", "", "", "4"}, "4"), VoteRule::kReference));
  EXPECT_TRUE(vote_is_right(answers({"", "4", "", "4"}, "4"), VoteRule::kReference));
  EXPECT_FALSE(vote_is_right(answers({""}, "4"), VoteRule::kStrict));
}

TEST(SelfConsistency, CurvesOfVotesAndOfAnyRightSample) {
  // The vote is right in the first question alone; in the third a tie goes to the first answer.
  const std::vector<std::vector<VotingAnswer>> questions = {
      answers({"7", "3", "7", "7"}, "7"), answers({"1", "2", "2", ""}, "1"),
      answers({"4", "5", "5", "4"}, "5"), answers({"", "", "", ""}, "9")};
  const SelfConsistency curves = self_consistency(questions, VoteRule::kStrict, 0);
  ASSERT_EQ(curves.majority.size(), 4u);
  EXPECT_DOUBLE_EQ(curves.majority[0], (3.0 / 4 + 1.0 / 4 + 2.0 / 4) / 4);
  EXPECT_DOUBLE_EQ(curves.majority[3], 1.0 / 4);
  EXPECT_DOUBLE_EQ(curves.pass[0], curves.majority[0]);
  EXPECT_DOUBLE_EQ(curves.pass[3], 3.0 / 4);
  // Three of four, all choices: the first question is right in all; the second where 1 and a single
  // 2 are chosen, which tie; the third where both 5 are.
  EXPECT_DOUBLE_EQ(curves.majority[2], (1 + 2.0 / 4 + 2.0 / 4) / 4);
  EXPECT_EQ(self_consistency(questions, VoteRule::kStrict, 0).majority, curves.majority);
}

double choose(int n, int k) {
  if (k < 0 || k > n) return 0;
  return std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1));
}

TEST(SelfConsistency, RandomOrdersComeNearToAllChoices) {
  // 8 of 13 are right and the others agree among themselves: a vote of k is right where more than
  // half of k are, and at even halves where a right one comes first. 13 over 5 is above 256.
  std::vector<VotingAnswer> samples;
  for (int i = 0; i < 13; ++i)
    samples.push_back(i < 8 ? VotingAnswer{"1", true} : VotingAnswer{"2"});
  const std::vector<std::vector<VotingAnswer>> questions(400, samples);
  const SelfConsistency curves = self_consistency(questions, VoteRule::kStrict, 0);
  const auto share = [](int k) {
    double right = 0;
    for (int ones = k / 2 + k % 2; ones <= k; ++ones)
      right += choose(8, ones) * choose(5, k - ones);
    return right / choose(13, k);
  };
  for (const int k : {3, 5, 7, 9}) {
    EXPECT_NEAR(curves.majority[static_cast<std::size_t>(k - 1)], share(k), 0.01) << k;
  }
  EXPECT_NEAR(curves.majority[0], 8.0 / 13, 1e-12);
  EXPECT_DOUBLE_EQ(curves.majority[12], 1);
}

// The plain definition: every choice of k samples, each vote counted from the start.
double share_by_definition(const std::vector<VotingAnswer>& samples, std::size_t k, VoteRule rule) {
  double right = 0;
  double all = 0;
  for (unsigned set = 0; set < 1u << samples.size(); ++set) {
    std::vector<VotingAnswer> chosen;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if ((set >> i & 1u) != 0) chosen.push_back(samples[i]);
    }
    if (chosen.size() != k) continue;
    std::size_t most = 0;
    const VotingAnswer* winner = nullptr;
    for (const VotingAnswer& one : chosen) {
      if (!one.answer && rule == VoteRule::kStrict) continue;
      std::size_t votes = 1;
      if (one.answer) {
        votes = 0;
        for (const VotingAnswer& other : chosen) votes += other.answer == one.answer ? 1 : 0;
      }
      if (votes > most) winner = &one;
      most = std::max(most, votes);
    }
    right += winner != nullptr && winner->correct ? 1 : 0;
    ++all;
  }
  return right / all;
}

TEST(SelfConsistency, IsExactForUpToTenSamples) {
  const auto samples = answers({"5", "", "4", "5", "6", "", "4", "4", "5", "7"}, "4");
  for (const VoteRule rule : {VoteRule::kStrict, VoteRule::kReference}) {
    const SelfConsistency curves =
        self_consistency(std::vector<std::vector<VotingAnswer>>{samples}, rule, 3);
    for (std::size_t k = 1; k <= 10; ++k) {
      EXPECT_DOUBLE_EQ(curves.majority[k - 1], share_by_definition(samples, k, rule)) << k;
    }
  }
}

TEST(SelfConsistency, VotesGrowInProportionToTheSamples) {
  const auto cast = [](int samples, int distinct) {
    std::vector<std::string> given;
    for (int i = 0; i < samples; ++i) given.push_back(std::to_string(i % distinct));
    std::size_t votes = 0;
    self_consistency(std::vector<std::vector<VotingAnswer>>{answers(given, "1")}, VoteRule::kStrict,
                     0, &votes);
    return static_cast<double>(votes);
  };
  for (const int distinct : {2, 7, 1000000}) {
    EXPECT_LE(cast(300, distinct), 13 * cast(30, distinct)) << distinct;
    EXPECT_LE(cast(3000, distinct), 13 * cast(300, distinct)) << distinct;
    EXPECT_LE(cast(20000, distinct), 13 * cast(2000, distinct)) << distinct;
    for (const int samples : {8, 11, 16, 23, 64, 256, 2000}) {
      EXPECT_LE(cast(samples, distinct), 1500.0 * samples) << samples;
    }
  }
}

}  // namespace
}  // namespace softcot
