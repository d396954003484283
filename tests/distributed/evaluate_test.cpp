// Evaluation gives the same samples however many ranks share it and however often it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "evaluation/sample_log.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMethods[] = {"zero_shot_cot", "softcot"};
const std::vector<std::string> kGreedy = {"--evaluate.batch", "3"};
const std::vector<std::string> kSampled = {
    "--evaluate.batch",   "3", "--evaluate.temperature", "1",
    "--evaluate.samples", "2", "--evaluate.top-p",       "0.95"};

class Evaluate : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    project_->precompute();
    const ChildResult trained = run_softcot(project_->call_in("trained", "train"));
    ASSERT_EQ(trained.status, 0) << trained.err;
  }
  static void TearDownTestSuite() { project_.reset(); }

  /// A copy of the trained run.
  static std::string new_run() {
    const std::string run = "run" + std::to_string(++runs_);
    std::filesystem::copy(project_->path("trained"), project_->path(run),
                          std::filesystem::copy_options::recursive);
    return run;
  }

  static std::vector<std::string> evaluate_call(const std::string& run,
                                                std::vector<std::string> options, int tp = 1) {
    options.insert(options.end(), {"--parallel.tp", std::to_string(tp)});
    return project_->call_in(run, "evaluate", options);
  }
  static void evaluate(const std::string& run, const std::vector<std::string>& options, int ranks,
                       int tp = 1) {
    const ChildResult result = run_softcot(evaluate_call(run, options, tp), on_ranks(ranks));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("SoftCoT"));
  }

  static std::map<SampleKey, Sample> samples_of(const std::string& run, const std::string& method) {
    std::map<SampleKey, Sample> samples;
    for (const Sample& sample :
         read_samples(project_->path(run) / "samples" / (method + ".jsonl"))) {
      EXPECT_TRUE(
          samples.emplace(SampleKey(sample.question_id, sample.sample_index), sample).second)
          << "twice: " << sample.question_id;
    }
    return samples;
  }

  /// Both runs hold the same samples of all questions; NLL per token within 1e-5.
  static void expect_same(const std::string& got_run, const std::string& expected_run,
                          std::size_t samples_each) {
    double largest = 0;
    for (const char* method : kMethods) {
      const auto expected = samples_of(expected_run, method);
      const auto got = samples_of(got_run, method);
      EXPECT_EQ(expected.size(), TinyProject::kEvalQuestions * samples_each);
      ASSERT_EQ(got.size(), expected.size());
      for (const auto& [key, sample] : expected) {
        ASSERT_TRUE(got.contains(key)) << key.first;
        const Sample& mine = got.at(key);
        EXPECT_EQ(mine.ids, sample.ids) << method << ' ' << key.first;
        EXPECT_EQ(mine.text, sample.text);
        EXPECT_EQ(mine.finish, sample.finish);
        EXPECT_EQ(mine.prompt_hash, sample.prompt_hash);
        EXPECT_EQ(mine.reference, sample.reference);
        ASSERT_EQ(mine.answer_nll.has_value(), sample.answer_nll.has_value());
        EXPECT_EQ(sample.answer_nll.has_value(), key.second == 0);
        if (!sample.answer_nll) continue;
        EXPECT_EQ(mine.target_tokens, sample.target_tokens);
        largest = std::max(largest, std::abs(*mine.answer_nll - *sample.answer_nll) /
                                        static_cast<double>(sample.target_tokens));
      }
    }
    EXPECT_LT(largest, 1e-5);
    std::cout << "NLL per token differs by " << largest << '\n';
    expect_same_results(results_of(got_run), results_of(expected_run));
  }

  static nlohmann::json results_of(const std::string& run) {
    return nlohmann::json::parse(slurp(project_->path(run) / "results.json"));
  }
  static void expect_same_results(const nlohmann::json& got, const nlohmann::json& expected) {
    ASSERT_EQ(got["methods"].size(), 2U);
    for (std::size_t m = 0; m < 2; ++m) {
      const auto& mine = got["methods"][m];
      const auto& other = expected["methods"][m];
      EXPECT_EQ(mine["method"], kMethods[m]);
      EXPECT_EQ(mine["questions"], TinyProject::kEvalQuestions);
      EXPECT_EQ(mine["accuracy"], other["accuracy"]);
      EXPECT_EQ(mine["mean_new_tokens"], other["mean_new_tokens"]);
      EXPECT_NEAR(mine["nll_per_token"]["value"].get<double>(),
                  other["nll_per_token"]["value"].get<double>(), 1e-5);
    }
    EXPECT_EQ(got["model_hashes"], expected["model_hashes"]);
    EXPECT_EQ(got["model_hashes"].size(), 3U) << got["model_hashes"].dump();
  }

  static std::unique_ptr<TinyProject> project_;
  static int runs_;
};

std::unique_ptr<TinyProject> Evaluate::project_;
int Evaluate::runs_ = 0;

TEST_F(Evaluate, TrainingShowsInTheTable) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto results = results_of(run);
  const double plain = results["methods"][0]["nll_per_token"]["value"];
  const double soft = results["methods"][1]["nll_per_token"]["value"];
  EXPECT_LT(soft, plain);
  std::cout << "NLL per token " << plain << " without, " << soft << " with soft thoughts\n";
}

TEST_F(Evaluate, RanksShareTheQuestionsGreedily) {
  const std::string alone = new_run();
  evaluate(alone, kGreedy, 0);
  for (const auto& [ranks, tp] : {std::pair(2, 1), std::pair(3, 1), std::pair(2, 2)}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks, tp " + std::to_string(tp));
    const std::string run = new_run();
    evaluate(run, kGreedy, ranks, tp);
    expect_same(run, alone, 1);
  }
}

TEST_F(Evaluate, RanksDrawTheSameSamples) {
  const std::string alone = new_run();
  evaluate(alone, kSampled, 0);
  for (const int ranks : {2, 3}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks");
    const std::string run = new_run();
    evaluate(run, kSampled, ranks);
    expect_same(run, alone, 2);
  }
  // They are samples: the two of a question differ, and so do those of another seed.
  const auto samples = samples_of(alone, "softcot");
  const auto& [key, first] = *samples.begin();
  EXPECT_NE(first.ids, samples.at({key.first, 1}).ids);
  const std::string other = new_run();
  std::vector<std::string> options = kSampled;
  options.insert(options.end(), {"--evaluate.seed", "7"});
  evaluate(other, options, 0);
  EXPECT_NE(samples_of(other, "softcot").at(key).ids, first.ids);
}

TEST_F(Evaluate, KilledAndResumedGivesTheSameSamples) {
  const std::string whole = new_run();
  evaluate(whole, kSampled, 0);
  const auto lines_in = [&](const std::string& run) {
    std::size_t lines = 0;
    for (const auto& entry : std::filesystem::directory_iterator(project_->path(run) / "samples")) {
      lines += lines_with(slurp(entry.path()), "question_id").size();
    }
    return lines;
  };
  // One after the other on 1, 2 and 3 ranks, each killed when so many samples are there.
  const std::string run = new_run();
  std::size_t kept = 0;
  for (const auto& [ranks, until] : {std::pair(0, 4U), std::pair(2, 12U), std::pair(3, 24U)}) {
    Job job(evaluate_call(run, kSampled), on_ranks(ranks));
    ASSERT_TRUE(wait_until([&] { return lines_in(run) >= until || !job.running(); }));
    job.kill_all();
    EXPECT_FALSE(std::filesystem::exists(project_->path(run) / "results.json"));
    EXPECT_GE(lines_in(run), kept);
    kept = lines_in(run);
  }
  evaluate(run, kSampled, 2);
  expect_same(run, whole, 2);
  EXPECT_EQ(names_below(project_->path(run) / "samples").size(), 2U) << "parts are left";
  std::cout << kept << " samples were kept over three kills\n";
}

TEST_F(Evaluate, AFinishedEvaluationIsNotDoneAgain) {
  const std::string run = new_run();
  evaluate(run, kGreedy, 0);
  const auto before = slurp(project_->path(run) / "samples" / "softcot.jsonl");
  evaluate(run, kGreedy, 2);
  EXPECT_EQ(slurp(project_->path(run) / "samples" / "softcot.jsonl"), before);
}

}  // namespace
}  // namespace softcot::test
