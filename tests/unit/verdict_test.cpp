// What a verdict says, and when a line is named the best.
#include "evaluation/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/compared_methods.h"

namespace softcot {
namespace {

using test::sample;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// 30 questions; `change` nats per token against the baseline, `noise` of either sign between
/// questions, in a pattern of the line's own.
MethodSamples line(const std::string& name, double change, double noise = 0, unsigned pattern = 1) {
  MethodSamples method{name, name == "zero_shot_cot" ? "Zero-shot CoT" : name, {}};
  for (int q = 0; q < 30; ++q) {
    const double sign = (static_cast<unsigned>(q) * 2654435761U * pattern >> 16) % 2 == 0 ? 1 : -1;
    const double nll = 1.5 + 0.01 * q + change + noise * sign;
    Sample each = sample("q" + std::to_string(100 + q), 0, false, 10 * nll, 10);
    each.new_tokens = name == "zero_shot_cot" ? 20 : 30;
    each.finish = q < 3 && name != "zero_shot_cot" ? "length" : "stop";
    method.samples.push_back(each);
  }
  return method;
}

std::string best_of(const std::vector<MethodSamples>& methods) {
  const Comparison comparison = compare_methods(methods, {});
  return best_line_sentence(verdict_lines(comparison));
}

TEST(Verdict, SaysOfHowManyLinesOneIsTheBest) {
  std::vector<MethodSamples> methods = {line("zero_shot_cot", 0), line("a", -0.1, 0.05)};
  EXPECT_THAT(best_of(methods), AllOf(StartsWith("a lowers the held-out NLL per token of the "
                                                 "reference rationale and answer from 1.6450 to "),
                                      Not(HasSubstr("lines"))));
  methods.push_back(line("b", -0.12, 0.05, 3));
  methods.push_back(line("c", 0.02, 0.05, 5));
  EXPECT_THAT(best_of(methods), AllOf(StartsWith("Of 3 lines b lowers"), HasSubstr("most, from"),
                                      HasSubstr("over all 3 lines together; 30 questions")));
}

TEST(Verdict, TheBestOfManyIdleLinesIsNotCrowned) {
  // One of 24 lies below zero by an interval of its own.
  std::vector<MethodSamples> methods = {line("zero_shot_cot", 0)};
  methods.push_back(line("lucky", -0.045, 0.1));
  for (unsigned i = 2; i < 25; ++i) methods.push_back(line("idle" + std::to_string(i), 0, 0.1, i));
  const Comparison comparison = compare_methods(methods, {});
  const Contrast& lucky = *comparison.rows[1].contrast;
  EXPECT_LT(lucky.nll->relative.interval.high, 0);
  ASSERT_TRUE(lucky.nll_of_all);
  EXPECT_GT(lucky.nll_of_all->high, 0);
  EXPECT_EQ(lucky.lines, 24U);
  EXPECT_THAT(best_line_sentence(verdict_lines(comparison)),
              AllOf(StartsWith("None of 24 lines lowers"), HasSubstr("lucky comes nearest"),
                    HasSubstr("accuracy ")));
}

TEST(Verdict, NoLineIsCrownedWhoseTrainingsDisagree) {
  std::vector<MethodSamples> methods = {line("zero_shot_cot", 0), line("split", -0.2, 0.05),
                                        line("sure", -0.1, 0.05, 3)};
  methods[1].training_nll = {1.1, 1.7};
  methods[2].training_nll = {1.5, 1.6};
  EXPECT_THAT(best_of(methods),
              AllOf(StartsWith("Of 2 lines sure lowers"), HasSubstr("2 trainings")));
  methods.pop_back();
  EXPECT_THAT(best_of(methods), AllOf(StartsWith("split cannot be told apart from Zero-shot CoT"),
                                      HasSubstr("which do not all point the same way")));
  methods[1].training_nll = {1.4};
  EXPECT_THAT(best_of(methods), AllOf(StartsWith("split lowers"), HasSubstr(", one training)")));
}

TEST(Verdict, NeverIsOfTheNllAlone) {
  for (const double change : {-0.1, 0.0, 0.1}) {
    const Comparison comparison =
        compare_methods(std::vector{line("zero_shot_cot", 0), line("a", change, 0.05)}, {});
    for (const VerdictLine& each : verdict_lines(comparison)) {
      EXPECT_THAT(verdict_sentence(each),
                  AllOf(HasSubstr("accuracy 0.0 [0.0, 11.4] % against 0.0 [0.0, 11.4] %"),
                        HasSubstr("30.0 new tokens per answer against 20.0"),
                        HasSubstr("10.0 % of the answers cut off against 0.0 %")));
    }
    EXPECT_THAT(format_markdown(comparison), HasSubstr("10.0 % of the answers cut off"));
    std::string table = format_table(comparison);
    std::replace(table.begin(), table.end(), '\n', ' ');
    EXPECT_THAT(table, HasSubstr("of the answers cut off against 0.0 %"));
  }
}

}  // namespace
}  // namespace softcot
