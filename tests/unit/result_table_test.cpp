#include "evaluation/result_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/error.h"
#include "runtime/json_file.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using testing::HasSubstr;

Sample sample(const std::string& id, std::int64_t index, bool correct, double nll,
              std::int64_t tokens) {
  Sample made;
  made.question_id = id;
  made.sample_index = index;
  made.strict.correct = made.flexible.correct = correct;
  made.new_tokens = 10 * tokens;
  made.finish = correct ? "stop" : "length";
  made.answer_nll = nll;
  made.target_tokens = tokens;
  return made;
}

// Zero-shot loses 1.5 nats a token and SoftCoT 1.2 on every question; each solves what it solves.
std::vector<MethodSamples> two_methods() {
  MethodSamples zero{"zero_shot_cot", "Zero-shot CoT", {}};
  MethodSamples soft{"softcot", "SoftCoT", {}};
  for (int i = 0; i < 20; ++i) {
    const std::string id = "q" + std::to_string(i);
    const std::int64_t tokens = 10 + i;
    zero.samples.push_back(sample(id, 0, i < 4, 1.5 * static_cast<double>(tokens), tokens));
    soft.samples.push_back(
        sample(id, 0, i < 3 || i >= 12, 1.2 * static_cast<double>(tokens), tokens));
  }
  return {zero, soft};
}

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
  EXPECT_EQ(soft.contrast->only_this, 8u);
  EXPECT_EQ(soft.contrast->only_baseline, 1u);
  EXPECT_NEAR(soft.contrast->mcnemar_p, 2 * 10.0 / 512, 1e-12);
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
  const Comparison comparison = compare_methods(two_methods(), {});
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

  for (const char* key : {"schema", "baseline", "methods", "bootstrap", "headline_extractor"}) {
    nlohmann::json damaged = json;
    damaged.erase(key);
    EXPECT_THROW(comparison_from_json(damaged, "x"), Error) << key;
  }
  nlohmann::json damaged = json;
  damaged["methods"][0]["nll_per_token"]["interval"] = {1};
  EXPECT_THROW(comparison_from_json(damaged, "x"), Error);
}

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
  // Three of four: the first question is right in all draws; the second only when both 1 and a
  // single 2, or 1 before a 2, are drawn.
  EXPECT_GT(curves.majority[2], 1.0 / 4);
  EXPECT_LT(curves.majority[2], 3.0 / 4);
  EXPECT_EQ(self_consistency(questions, VoteRule::kStrict, 0).majority, curves.majority);
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
  named.rows[1].title = "Soft, \"quoted\" | CoT";
  const auto json = results_to_json(named, {});
  const Comparison back = comparison_from_json(json, "results.json");
  EXPECT_EQ(back.rows[1].voting->majority, row.voting->majority);
  EXPECT_EQ(back.rows[1].over_seeds.deviation, row.over_seeds.deviation);
  EXPECT_EQ(format_csv(back), format_csv(named));
  EXPECT_THAT(format_csv(named), HasSubstr("softcot,\"Soft, \"\"quoted\"\" | CoT\",20,80,1.2,"));
  EXPECT_THAT(format_markdown(named), HasSubstr("| Soft, \"quoted\" \\| CoT | 20 | 1.2000 |"));
}

}  // namespace
}  // namespace softcot
