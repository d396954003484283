// Rows that are not like the others. Too long and skipped on request: how many is said wherever
// figures are. Of a loss that leaps: the step and the rows are named and the training goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "data/sampler.h"
#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"
#include "support/train_outcome.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

using Words = std::vector<std::string>;

/// Makes the answers of questions `first`, `first` + `step` … so long that they pass the limit.
/// Their questions, all that the assistant reads, stay as short as they were.
int lengthen_answers(const std::filesystem::path& file, int first, int step) {
  std::istringstream lines(slurp(file));
  std::string all;
  int number = 0;
  int lengthened = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    auto question = nlohmann::ordered_json::parse(line);
    if (number >= first && (number - first) % step == 0) {
      std::string padding;
      for (int i = 0; i < 400; ++i) padding += "and so on ";
      question["answer"] = padding + "\n" + question["answer"].get<std::string>();
      ++lengthened;
    }
    all += question.dump() + "\n";
  }
  spill(file, all);
  return lengthened;
}

TEST(OddRows, LongOnesAreLeftOutOfTrainingAndEvaluationAndCounted) {
  const TinyProject project;
  const int train_long = lengthen_answers(project.path("train.jsonl"), 1, 4);
  const int eval_long = lengthen_answers(project.path("eval.jsonl"), 2, 3);
  ASSERT_EQ(train_long, 6);
  ASSERT_EQ(eval_long, 3);
  const Words limit = {"--data.max-length", "1000", "--data.on-long-row", "skip"};
  const auto run = [&](Words call) {
    call.insert(call.end(), limit.begin(), limit.end());
    const ChildResult result = run_softcot(call);
    EXPECT_EQ(result.status, 0) << result.err;
    return result;
  };
  run(project.call("precompute"));
  expect_refused(project.call_in("run", "train", {limit[0], limit[1]}), 3,
                 {"train:2", "at most 1000", "--data.on-long-row skip"});

  // Two epochs of the 18 rows that are left, 4 at a time.
  const ChildResult trained = run(project.call_in(
      "run", "train", {"--train.steps", "0", "--train.epochs", "2", "--train.checkpoint-every=0"}));
  EXPECT_THAT(trained.err, AllOf(HasSubstr("6 of 24 train rows are longer than 1000 tokens"),
                                 HasSubstr("3 of 10 eval rows are longer than 1000 tokens"),
                                 HasSubstr("trained 9 steps")));
  EXPECT_EQ(train_outcome(project.path("run"), 9).losses.size(), 9U);

  const ChildResult evaluated = run(project.call_in("run", "evaluate"));
  const std::string said = "3 questions are left out: longer than data.max-length.";
  EXPECT_EQ(lines_with(evaluated.out, "3 questions are left out").size(), 2U) << evaluated.out;
  EXPECT_THAT(slurp(project.path("run") / "results.md"), HasSubstr("\n\nSoftCoT: " + said));
  const auto results = nlohmann::json::parse(slurp(project.path("run") / "results.json"));
  ASSERT_EQ(results["methods"].size(), 2U);
  for (const auto& method : results["methods"]) {
    EXPECT_EQ(method["skipped_questions"], 3) << method;
    EXPECT_EQ(method["questions"], 7) << method;
    const std::string name = method["method"];
    const std::string samples = slurp(project.path("run") / "samples" / (name + ".jsonl"));
    EXPECT_EQ(lines_with(samples, "question_id").size(), 7U);
    EXPECT_THAT(samples, AllOf(HasSubstr("\"eval:1\""), Not(HasSubstr("\"eval:3\""))));
  }
  EXPECT_EQ(run_softcot({"report", "--run", project.path("run")}).status, 0);
  EXPECT_THAT(slurp(project.path("run") / "report.html"), HasSubstr("SoftCoT: " + said));
  EXPECT_EQ(run_softcot({"report", project.path("run"), "--out", project.path("all")}).status, 0);
  EXPECT_THAT(slurp(project.path("all") / "report.md"), HasSubstr("SoftCoT: " + said));
}

TEST(OddRows, ALossThatLeapsIsToldWithItsStepAndRow) {
  const TinyProject project;
  constexpr int kStep = 20;  // From 1, behind the steps that tell what is usual.
  EpochSampler order(TinyProject::kTrainQuestions, 7);
  std::int64_t odd = order.global_batch(kStep - 1, 1).at(0);
  const std::string name = "with rows train:" + std::to_string(odd + 1);
  // One row alone writes '~' after '~'. Its large embedding makes that place see one dimension of
  // the head, which speaks against '~' itself.
  std::istringstream lines(slurp(project.path("train.jsonl")));
  std::string questions;
  for (std::string line; std::getline(lines, line);) {
    if (odd-- == 0) line.replace(line.find("He has"), 6, std::string(40, '~'));
    questions += line + "\n";
  }
  spill(project.path("train.jsonl"), questions);
  const auto weights = project.path("backbone") / "model.safetensors";
  put_float(weights, "model.embed_tokens.weight", '~' * 64 + 5, 1e4F);
  put_float(weights, "lm_head.weight", '~' * 64 + 5, -6.0F);

  const ChildResult result = run_softcot(project.call_in(
      "run", "train",
      {"--method", "lora", "--train.seed", "7", "--train.batch", "1", "--train.steps", "24",
       "--train.learning-rate", "0.0001", "--train.checkpoint-every", "0"}));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto told = lines_with(result.err, "leaps above");
  ASSERT_EQ(told.size(), 1U) << result.err;
  EXPECT_THAT(told[0], AllOf(HasSubstr("step 20: loss "), EndsWith(name)));
  const auto losses = train_outcome(project.path("run"), 24).losses;
  EXPECT_GT(losses.at(kStep - 1), 1.5 * losses.at(kStep - 2));
  EXPECT_LT(losses.back(), 1.5 * losses.front()) << "the training goes on as before";
}

}  // namespace
}  // namespace softcot::test
