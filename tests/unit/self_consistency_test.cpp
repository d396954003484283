#include "evaluation/self_consistency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace softcot {
namespace {

TEST(SelfConsistency, CurvesOfVotesAndOfAnyRightSample) {
  const auto answers = [](const std::vector<std::string>& given, const std::string& right) {
    std::vector<VotingAnswer> votes;
    for (const std::string& answer : given) {
      if (answer.empty()) {
        votes.push_back({std::nullopt, false});
      } else {
        votes.push_back({answer, answer == right});
      }
    }
    return votes;
  };
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

TEST(SelfConsistency, DrawnChoicesComeNearToAllOfThem) {
  // 8 of 13 are right and the others agree among themselves: a vote of k is right where more than
  // half of k are, and at even halves where a right one comes first. 13 over 5 is above 256.
  std::vector<VotingAnswer> samples;
  for (int i = 0; i < 13; ++i)
    samples.push_back(i < 8 ? VotingAnswer{"1", true} : VotingAnswer{"2"});
  const std::vector<std::vector<VotingAnswer>> questions(400, samples);
  const SelfConsistency curves = self_consistency(questions, VoteRule::kStrict, 0);
  const auto choose = [](int n, int k) {
    return std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1));
  };
  double at_least_three = 0;
  for (int right = 3; right <= 5; ++right)
    at_least_three += choose(8, right) * choose(5, 5 - right);
  EXPECT_NEAR(curves.majority[4], at_least_three / choose(13, 5), 0.01);
  EXPECT_NEAR(curves.majority[0], 8.0 / 13, 1e-12);
  EXPECT_DOUBLE_EQ(curves.majority[12], 1);
}

}  // namespace
}  // namespace softcot
