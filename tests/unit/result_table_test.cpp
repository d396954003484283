#include "evaluation/result_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "evaluation/figure_text.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "support/compared_methods.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using test::answering;
using test::sample;
using test::two_methods;
using testing::AllOf;
using testing::HasSubstr;

TEST(ResultTable, ComparesTwoMethodsOnTheSameQuestions) {
  const Comparison comparison = compare_methods(two_methods(), {});
  ASSERT_EQ(comparison.rows.size(), 2u);
  const MethodResult& zero = comparison.rows[0];
  const MethodResult& soft = comparison.rows[1];
  EXPECT_EQ(zero.questions, 20u);
  EXPECT_NEAR(zero.nll_per_token->value, 1.5, 1e-12);
  EXPECT_FALSE(zero.contrast.has_value());
  EXPECT_NEAR(soft.accuracy.at("flexible").value, 11.0 / 20, 1e-12);
  EXPECT_NEAR(soft.accuracy.at("reference").value, 0, 1e-12);
  EXPECT_EQ(soft.truncated, 9u);
  EXPECT_NEAR(soft.mean_new_tokens, 195, 1e-9);
  ASSERT_TRUE(soft.contrast && soft.contrast->nll);
  EXPECT_NEAR(soft.contrast->nll->difference.value, -0.3, 1e-12);
  EXPECT_NEAR(soft.contrast->nll->relative.value, -0.2, 1e-12);
  ASSERT_EQ(soft.contrast->seeds.size(), 1u);
  EXPECT_EQ(soft.contrast->seeds[0].only_left, 8u);
  EXPECT_EQ(soft.contrast->seeds[0].only_right, 1u);
  EXPECT_NEAR(soft.contrast->mcnemar_p, 2 * 10.0 / 512, 1e-12);
}

// What always giving the most frequent reference answer would score.
TEST(ResultTable, TheMajorityClassStandsWithTheAccuracy) {
  const auto comparison_of = [](const std::vector<std::string>& references) {
    std::vector<MethodSamples> methods = {{"zero_shot_cot", "Zero-shot CoT", {}},
                                          {"softcot", "SoftCoT", {}}};
    for (std::size_t i = 0; i < references.size(); ++i) {
      for (MethodSamples& method : methods) {
        method.samples.push_back(sample("q" + std::to_string(i), 0, true, 10, 10));
        method.samples.back().reference = references[i];
      }
    }
    return compare_methods(methods, {});
  };
  const Comparison letters = comparison_of({"C", "A", "C", "B", "C"});
  for (const MethodResult& row : letters.rows) {
    ASSERT_TRUE(row.majority_class);
    EXPECT_EQ(row.majority_class->answer, "C");
    EXPECT_DOUBLE_EQ(row.majority_class->share, 0.6);
  }
  const std::string words = "Accuracy of the majority class: always C: 60.0 %.";
  EXPECT_THAT(format_table(letters), HasSubstr("\n" + words + "\n"));
  EXPECT_THAT(format_markdown(letters), HasSubstr("\n" + words + "\n"));
  const auto json = results_to_json(letters, {});
  EXPECT_EQ(json["methods"][0]["majority_class"]["answer"], "C");
  EXPECT_EQ(json["methods"][0]["majority_class"]["share"], 0.6);
  EXPECT_EQ(format_table(comparison_from_json(json, "results.json")), format_table(letters));
  const Comparison words_of = comparison_of({"Yes", "no", "No", "yes", "No"});
  EXPECT_EQ(words_of.rows[0].majority_class->answer, "No");
  EXPECT_DOUBLE_EQ(words_of.rows[0].majority_class->share, 0.6);
  for (const auto& others :
       std::vector<std::vector<std::string>>{{"5", "5"}, {"A", "5"}, {"a", "a"}, {"Yes, it is"}}) {
    const Comparison none = comparison_of(others);
    EXPECT_FALSE(none.rows[0].majority_class) << others[0];
    EXPECT_EQ(format_table(none).find("majority class"), std::string::npos);
    EXPECT_FALSE(results_to_json(none, {})["methods"][0].contains("majority_class"));
  }
}

TEST(ResultTable, TheOrderOfSamplesDoesNotMatter) {
  std::vector<MethodSamples> methods = two_methods();
  const auto as_text = [](const std::vector<MethodSamples>& given) {
    return results_to_json(compare_methods(given, {}), {}).dump();
  };
  const std::string before = as_text(methods);
  std::reverse(methods[1].samples.begin(), methods[1].samples.end());
  std::swap(methods[0].samples[3], methods[0].samples[11]);
  EXPECT_EQ(as_text(methods), before);
}

TEST(ResultTable, PairsOnlyTheSharedQuestions) {
  std::vector<MethodSamples> methods = two_methods();
  methods[0].samples.resize(12);
  methods[1].samples.push_back(sample("only here", 0, true, 1000, 1));
  const Comparison comparison = compare_methods(methods, {});
  EXPECT_EQ(comparison.rows[1].contrast->questions, 12u);
  EXPECT_NEAR(comparison.rows[1].contrast->nll->difference.value, -0.3, 1e-12);
}

TEST(ResultTable, SeveralSamplesOfAQuestionAreOneQuestion) {
  MethodSamples method{"softcot", "SoftCoT", {}};
  for (int q = 0; q < 4; ++q) {
    for (int k = 0; k < 5; ++k) {
      method.samples.push_back(sample("q" + std::to_string(q), k, q < 2, 12, 10));
    }
  }
  const MethodResult row = compare_methods(std::vector{method}, {}).rows[0];
  EXPECT_EQ(row.questions, 4u);
  EXPECT_EQ(row.samples, 20u);
  EXPECT_NEAR(row.accuracy.at("flexible").value, 0.5, 1e-12);
  // Four questions, not twenty samples: sd 0.577 over sqrt(4).
  EXPECT_NEAR(row.accuracy.at("flexible").standard_error, 0.288675, 1e-6);
  EXPECT_NEAR(row.nll_per_token->value, 1.2, 1e-12);
  EXPECT_FALSE(row.contrast.has_value());
}

TEST(ResultTable, WhatIsAlwaysWrongIsNotKnownExactly) {
  // 0 of 20 questions: 0 to 16 %, whether each was answered once or five times, under one seed or
  // several that agree.
  for (const int samples : {1, 5}) {
    for (const std::size_t seeds : {1U, 5U}) {
      if (seeds > static_cast<std::size_t>(samples)) continue;
      for (const bool right : {false, true}) {
        MethodSamples method{"softcot", "SoftCoT", {}};
        method.seeds = seeds;
        for (int q = 0; q < 20; ++q) {
          for (int k = 0; k < samples; ++k) {
            method.samples.push_back(sample("q" + std::to_string(q), k, right, 12, 10));
          }
        }
        const Comparison comparison = compare_methods(std::vector{method}, {});
        const Accuracy& accuracy = comparison.rows[0].accuracy.at("flexible");
        EXPECT_NEAR(accuracy.interval95.low, right ? 0.8389 : 0, 1e-4);
        EXPECT_NEAR(accuracy.interval95.high, right ? 1 : 0.1611, 1e-4);
        const std::string text = right ? "100.0 [83.9, 100.0]" : "0.0 [0.0, 16.1]";
        EXPECT_EQ(accuracy_text(comparison.rows[0]), text);
        EXPECT_THAT(format_markdown(comparison), HasSubstr("| " + text + " |"));
        EXPECT_THAT(format_table(comparison), testing::Not(HasSubstr("± 0.0")));
      }
    }
  }
}

TEST(ResultTable, SeedsThatAgreeLeaveTheErrorOverQuestions) {
  MethodSamples method{"softcot", "SoftCoT", {}};
  method.seeds = 5;
  for (int q = 0; q < 40; ++q) {
    for (int k = 0; k < 5; ++k)
      method.samples.push_back(sample("q" + std::to_string(q), k, q == 0, 1, 1));
  }
  EXPECT_EQ(accuracy_text(compare_methods(std::vector{method}, {}).rows[0]), "2.5 ± 2.5");
  method.samples[1].flexible.correct = false;
  const MethodResult differing = compare_methods(std::vector{method}, {}).rows[0];
  EXPECT_THAT(accuracy_text(differing), testing::MatchesRegex("2.0 ± 2.0 \\(1.1 sd\\)"));
  // A question that half its samples solve, like every other.
  for (Sample& each : method.samples) each.flexible.correct = each.sample_index < 2;
  method.seeds = 1;
  EXPECT_EQ(accuracy_text(compare_methods(std::vector{method}, {}).rows[0]), "40.0 [26.3, 55.4]");
}

TEST(FigureText, NothingIsNotNegative) {
  EXPECT_EQ(number_text(-0.04, 1), "0.0");
  EXPECT_EQ(number_text(-0.06, 1), "-0.1");
  EXPECT_EQ(percent(-0.0), "0.0");
  EXPECT_EQ(signed_text(-0.04, 1), "0.0");
  EXPECT_EQ(signed_text(0.04, 1), "0.0");
  EXPECT_EQ(signed_text(-0.0, 4), "0.0000");
  EXPECT_EQ(signed_text(-0.3, 1), "−0.3");
  EXPECT_EQ(change_text({-0.0002, {-0.5, 0.0001}}), "0.0 [−50.0, 0.0]");
  EXPECT_EQ(change_text({-0.00036, {-0.0004, -0.0003}}), "−0.04 [−0.04, −0.03]");
}

TEST(ResultTable, TextFitsAHundredColumnsAndShowsTheFigures) {
  std::vector<MethodSamples> methods = two_methods();
  methods.push_back({"x", "A method with a very long title that \x1b[31mnever ends — indeed",
                     methods[1].samples});
  methods.push_back({"no_nll", "No NLL", methods[1].samples});
  for (Sample& each : methods[3].samples) each.answer_nll.reset();
  const std::string table = format_table(compare_methods(methods, {}));
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::size_t columns = 0;
    for (const char c : line) {
      columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
    }
    EXPECT_LE(columns, 100u) << line;
  }
  for (const char* figure : {"1.5000", "1.2000", "−0.3000", "−20.0 %", "55.0 ± 11.1", "flexible",
                             "McNemar p = 0.0391", "Zero-shot CoT"}) {
    EXPECT_THAT(table, HasSubstr(figure));
  }
}

TEST(ResultTable, ResultsFileGivesBackTheComparison) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "results.json";
  auto methods = two_methods();
  methods[1].skipped = 3;
  const Comparison comparison = compare_methods(methods, {});
  const Provenance provenance{.config_hash = "c0",
                              .prompt_hash = "p0",
                              .model_hashes = {{"backbone", "b0"}},
                              .versions = {{"softcot", "0.1.0"}},
                              .trained_parameters = {"projection.weight [8, 4]"}};
  write_results(path, comparison, provenance);
  const nlohmann::json json = read_json_file(path);
  const Comparison back = comparison_from_json(json, path.string());
  const Provenance made_of = provenance_from_json(json, path.string());
  EXPECT_EQ(results_to_json(back, made_of).dump(), results_to_json(comparison, provenance).dump());
  EXPECT_EQ(made_of.model_hashes.at("backbone"), "b0");
  EXPECT_FALSE(json["methods"][0].contains("skipped_questions"));
  EXPECT_EQ(json["methods"][1]["skipped_questions"], 3);
  const std::string said = "3 questions are left out: longer than data.max-length.";
  EXPECT_THAT(format_markdown(back), HasSubstr("\nSoftCoT: " + said));
  EXPECT_EQ(format_table(back), format_table(comparison));

  for (const char* key : {"schema", "baseline", "methods", "bootstrap", "headline_extractor"}) {
    nlohmann::json damaged = json;
    damaged.erase(key);
    EXPECT_THROW(comparison_from_json(damaged, "x"), Error) << key;
  }
  nlohmann::json damaged = json;
  damaged["methods"][0]["nll_per_token"]["interval"] = {1};
  EXPECT_THROW(comparison_from_json(damaged, "x"), Error);
}

TEST(ResultTable, SeveralSeedsAndSamplesAreToldApart) {
  auto methods = two_methods();
  MethodSamples& soft = methods[1];
  soft.seeds = 2;
  const auto first = soft.samples;
  for (int index = 1; index < 4; ++index) {  // indices 0, 1 under the first seed, 2, 3 the second
    for (Sample again : first) {
      again.sample_index = index;
      again.flexible = {index == 3 ? "no" : "yes", index != 3};
      soft.samples.push_back(again);
    }
  }
  const Comparison comparison = compare_methods(methods, {});
  const MethodResult& row = comparison.rows[1];
  EXPECT_EQ(row.samples, 80u);
  EXPECT_EQ(row.over_seeds.count, 2u);
  EXPECT_NEAR(row.over_seeds.mean, ((11.0 / 20 + 1) / 2 + 0.5) / 2, 1e-12);
  ASSERT_TRUE(row.over_seeds.deviation);
  ASSERT_TRUE(row.voting);
  EXPECT_EQ(row.voting->majority.size(), 2u);
  EXPECT_NEAR(row.contrast->accuracy.value, row.accuracy.at("flexible").value - 4.0 / 20, 1e-12);
  EXPECT_THAT(format_table(comparison), HasSubstr("2 seeds:"));

  // What the files say comes back, and does not break their format.
  auto named = comparison;
  named.rows[1].title = "Soft, \"quoted\" | <b>CoT";
  const auto json = results_to_json(named, {});
  const Comparison back = comparison_from_json(json, "results.json");
  EXPECT_EQ(back.rows[1].voting->majority, row.voting->majority);
  EXPECT_EQ(back.rows[1].over_seeds.deviation, row.over_seeds.deviation);
  EXPECT_EQ(format_csv(back), format_csv(named));
  EXPECT_THAT(format_csv(named), HasSubstr("softcot,\"Soft, \"\"quoted\"\" | <b>CoT\",20,80,1.2,"));
  EXPECT_THAT(format_markdown(named), HasSubstr("| Soft, \"quoted\" \\| \\<b>CoT | 20 | 1.2000 |"));
}

TEST(ResultTable, McNemarLooksAtAsManySamplesAsBothHave) {
  // Sample 0 is wrong and the vote of three is right; the baseline is wrong throughout.
  MethodSamples method =
      answering({{"The answer is 1.", "The answer is 7.", "The answer is 7."}}, {"7"}, {"strict"});
  MethodSamples baseline =
      answering({{"The answer is 1.", "The answer is 2.", "The answer is 3."}}, {"7"}, {"strict"});
  baseline.method = "zero_shot_cot";
  const auto contrast = [&] {
    return *compare_methods(std::vector{baseline, method}, {}).rows[1].contrast;
  };
  EXPECT_EQ(contrast().votes, 3u);
  EXPECT_EQ(contrast().seeds.at(0).only_left, 1u);
  EXPECT_NEAR(contrast().accuracy.value, 2.0 / 3, 1e-12);
  baseline.samples.resize(1);
  EXPECT_EQ(contrast().votes, 1u);
  EXPECT_EQ(contrast().seeds.at(0).only_left, 0u);
}

TEST(ResultTable, McNemarIsOverAllSeeds) {
  // Three training seeds, each under the baseline's two evaluation seeds: the first has luck.
  auto methods = two_methods();
  MethodSamples& zero = methods[0];
  MethodSamples& soft = methods[1];
  zero.samples.clear();
  soft.samples.clear();
  zero.seeds = 2;
  soft.seeds = 6;
  for (int q = 0; q < 12; ++q) {
    const std::string id = "q" + std::to_string(q);
    // The baseline solves nothing under its first seed, the last question under its second.
    for (int s = 0; s < 2; ++s) zero.samples.push_back(sample(id, s, s == 1 && q == 11, 15, 10));
    for (int s = 0; s < 6; ++s) {
      soft.samples.push_back(sample(id, s, s < 2 ? q < 10 : q < 2, 12, 10));
    }
  }
  const Comparison comparison = compare_methods(methods, {});
  const Contrast& contrast = *comparison.rows[1].contrast;
  ASSERT_EQ(contrast.seeds.size(), 6u);
  std::vector<std::size_t> left;
  std::vector<std::size_t> right;
  for (const Discordance& seed : contrast.seeds) {
    left.push_back(seed.only_left);
    right.push_back(seed.only_right);
  }
  EXPECT_THAT(left, testing::ElementsAre(10, 10, 2, 2, 2, 2));
  EXPECT_THAT(right, testing::ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_LT(mcnemar_exact_p(10, 0), 0.002) << "what the first seed alone would say";
  EXPECT_DOUBLE_EQ(contrast.mcnemar_p, mcnemar_p_over_seeds(contrast.seeds));
  EXPECT_GT(contrast.mcnemar_p, 0.5);
  std::string words = format_table(comparison);
  std::replace(words.begin(), words.end(), '\n', ' ');
  EXPECT_THAT(words, AllOf(HasSubstr("12 questions under each of 6 seeds"),
                           HasSubstr("only it right 10/10/2/2/2/2"),
                           HasSubstr("only Zero-shot CoT right 0/1/0/1/0/1")));
  const auto json = results_to_json(comparison, {});
  const Comparison back = comparison_from_json(json, "results.json");
  EXPECT_EQ(format_table(back), format_table(comparison));
  // What was written when the first seed was all there was.
  auto old = nlohmann::json(json);
  old["methods"][1]["against_baseline"]["only_this_right"] = 10u;
  old["methods"][1]["against_baseline"]["only_baseline_right"] = 0u;
  const Comparison first = comparison_from_json(old, "results.json");
  ASSERT_EQ(first.rows[1].contrast->seeds.size(), 1u);
  EXPECT_EQ(first.rows[1].contrast->seeds[0].only_left, 10u);
}

TEST(ResultTable, CurvesAreInEveryForm) {
  const std::vector<std::vector<std::string>> texts = {
      {"The answer is 7.", "The answer is 1.", "The answer is 7."},
      {"The answer is 1.", "The answer is 2.", "The answer is 7."}};
  const Comparison comparison =
      compare_methods(std::vector{answering(texts, {"7", "7"}, {"strict"})}, {});
  // 3 of 6 are right. Of two samples that differ the first wins: in the first question that is
  // wrong for one choice of three, in the second for all. Of three the vote is 7, and 1.
  EXPECT_THAT(format_table(comparison),
              AllOf(HasSubstr("Right, in %, out of k samples        1     2     3\n"),
                    HasSubstr("SoftCoT                   vote    50.0  33.3  50.0\n"),
                    HasSubstr("                          pass@k  50.0  83.3 100.0\n")));
  EXPECT_THAT(format_csv(comparison),
              AllOf(HasSubstr(",vote_1,pass_1,vote_2,pass_2,vote_3,pass_3\n"),
                    HasSubstr(",0.5,0.5,0.333333,0.833333,0.5,1\n")));
  EXPECT_THAT(format_markdown(comparison),
              AllOf(HasSubstr("| SoftCoT | majority vote | 50.0 | 33.3 | 50.0 |"),
                    HasSubstr("| SoftCoT | pass@k | 50.0 | 83.3 | 100.0 |")));
}

}  // namespace
}  // namespace softcot
