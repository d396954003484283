// Results scored the reference's way beside the strict one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluation/result_table.h"
#include "support/compared_methods.h"

namespace softcot {
namespace {

using test::answering;
using testing::HasSubstr;

TEST(ScoringQuirks, ReferenceExtractorIsTheHeadline) {
  // The announced answer is right; the last number is not.
  const std::vector<std::vector<std::string>> texts = {{"The answer is 5. I checked it 3 times."}};
  for (const auto& [quirk, votes_right] :
       {std::pair("strict", 1u), std::pair("reference_extractor", 0u)}) {
    const auto comparison = compare_methods(std::vector{answering(texts, {"5"}, {quirk})}, {});
    const MethodResult& row = comparison.rows[0];
    const auto headline = extractor_name(headline_of(comparison.options, row.quirks));
    EXPECT_EQ(row.accuracy.at(std::string(headline)).value, votes_right);
    EXPECT_EQ(row.over_seeds.mean, votes_right);
    EXPECT_THAT(format_table(comparison),
                HasSubstr(votes_right == 1 ? "[20.7, 100]" : "[0.0, 79.3]"));
    EXPECT_THAT(format_csv(comparison), HasSubstr(quirk));
  }
}

TEST(ScoringQuirks, ALostSignMakesWrongRightAndRightWrong) {
  const std::vector<std::vector<std::string>> texts = {{"The answer is -5."},
                                                       {"The answer is -5."}};
  const auto accuracy = [&](const std::string& quirk) {
    const auto rows =
        compare_methods(std::vector{answering(texts, {"-5", "-5"}, {quirk})}, {}).rows;
    return rows[0].accuracy.at("flexible").value;
  };
  EXPECT_EQ(accuracy("strict"), 1);
  EXPECT_EQ(accuracy("lost_sign"), 0);
  const auto other = compare_methods(std::vector{answering(texts, {"5", "-5"}, {"lost_sign"})}, {});
  EXPECT_EQ(other.rows[0].accuracy.at("flexible").value, 0.5);
}

TEST(ScoringQuirks, DecimalAnswersAreRoundedToTwoPlaces) {
  const auto right = [](const std::string& text, const std::string& reference,
                        const std::string& quirk) {
    const auto rows =
        compare_methods(std::vector{answering({{text}}, {reference}, {quirk})}, {}).rows;
    return headline_accuracy(rows[0]).value == 1;
  };
  struct Case {
    const char* answer;
    const char* reference;
    bool strict;
    bool rounded;
  };
  for (const Case& each : {Case{"3.999", "4", false, true},
                           {"0.125", "0.125", true, false},
                           {"0.125", "0.12", false, true},
                           {"0.5", "0.5", true, true},
                           {"12", "12", true, true},
                           {"7.004", "7", false, true}}) {
    const std::string text = std::string("The answer is ") + each.answer + ".";
    SCOPED_TRACE(text + " " + each.reference);
    EXPECT_EQ(right(text, each.reference, "strict"), each.strict);
    EXPECT_EQ(right(text, each.reference, "rounded"), each.rounded);
    EXPECT_EQ(right(text, each.reference, "reference"), each.rounded);
  }
  // 1.004 and 1.001 are one answer, which outvotes 2.
  const auto rows =
      compare_methods(std::vector{answering(
                          {{"The answer is 2.", "The answer is 1.004.", "The answer is 1.001."}},
                          {"1"}, {"rounded"})},
                      {})
          .rows;
  EXPECT_EQ(rows[0].voting->majority.back(), 1);
}

TEST(ScoringQuirks, SamplesWithoutAnAnswerVoteOnce) {
  // Strict: 7 wins with one vote. With the quirk "no answer" came first and ties with it.
  const std::vector<std::vector<std::string>> texts = {{"no idea", "none", "The answer is 7."}};
  const auto last = [&](const std::string& quirk) {
    const auto rows = compare_methods(std::vector{answering(texts, {"7"}, {quirk})}, {}).rows;
    return rows[0].voting->majority.back();
  };
  EXPECT_EQ(last("strict"), 1);
  EXPECT_EQ(last("none_votes_once"), 0);
  // 5 and 5.0 are one answer under either rule.
  const std::vector<std::vector<std::string>> same = {
      {"The answer is 6.", "The answer is 5.", "The answer is 5.0."}};
  for (const char* quirk : {"strict", "none_votes_once", "reference"}) {
    const auto rows = compare_methods(std::vector{answering(same, {"5"}, {quirk})}, {}).rows;
    EXPECT_EQ(rows[0].voting->majority.back(), 1) << quirk;
  }
}

TEST(ScoringQuirks, BothWaysOfScoringStandInOneTable) {
  auto methods = test::two_methods();
  for (std::size_t i = 0; i < 2; ++i) {
    MethodSamples again = methods[i];
    again.method += "-reference";
    again.title += " (reference scoring)";
    again.quirks = quirks_of<ScoringQuirks>({"reference"}, "gsm8k");
    again.baseline = "zero_shot_cot-reference";
    for (Sample& each : again.samples) {
      each.reference = "5";
      each.as_reference = {"5", true};
    }
    methods.push_back(again);
  }
  const Comparison comparison = compare_methods(methods, {});
  ASSERT_EQ(comparison.rows.size(), 4u);
  EXPECT_FALSE(comparison.rows[2].contrast) << "a baseline of its own";
  EXPECT_EQ(comparison.rows[3].baseline, "zero_shot_cot-reference");
  EXPECT_EQ(comparison.rows[3].contrast->seeds.at(0).only_left, 0u);
  EXPECT_EQ(comparison.rows[1].contrast->seeds.at(0).only_left, 8u);
  const std::string table = format_table(comparison);
  EXPECT_THAT(table, HasSubstr("SoftCoT (reference"));
  EXPECT_THAT(table, HasSubstr("\nscoring)"));
  EXPECT_THAT(table, HasSubstr("only Zero-shot CoT (reference scoring) right 0"));
  EXPECT_THAT(table, HasSubstr("flexible, but reference for Zero-shot"));
  EXPECT_THAT(format_markdown(comparison), HasSubstr("100.0 [83.9, 100.0] (reference) |"));
  const Comparison back = comparison_from_json(results_to_json(comparison, {}), "results.json");
  EXPECT_EQ(back.rows[3].quirks, comparison.rows[3].quirks);
  EXPECT_EQ(back.rows[3].baseline, "zero_shot_cot-reference");
  EXPECT_EQ(format_table(back), table);
}

}  // namespace
}  // namespace softcot
