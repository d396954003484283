// Coconut and full fine-tuning through the commands: killed within a stage, at its end or after it,
// a run goes on to the same numbers, on other ranks to nearly the same, and is evaluated.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <tuple>

#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

constexpr int kSteps = 9;
constexpr int kStageSteps = 3;

struct Variant {
  const char* name;
  std::string method;
  std::vector<std::string> options;  ///< Of the training.
  std::size_t stages;
};

std::vector<Variant> variants() {
  const std::vector<std::string> coconut = {"--coconut.max-stage", "1", "--coconut.steps-per-stage",
                                            std::to_string(kStageSteps)};
  auto pause = coconut;
  pause.insert(pause.end(), {"--coconut.ablation", "pause_as_thought"});
  return {{"coconut", "coconut", coconut, 3},
          {"pause", "coconut", pause, 3},
          {"coconut_full", "coconut_full", coconut, 3},
          {"full", "full", {}, 1}};
}

class MethodsResume : public ::testing::TestWithParam<Variant> {
 protected:
  static void SetUpTestSuite() { project_ = std::make_unique<TinyProject>(); }
  static void TearDownTestSuite() { project_.reset(); }

  static std::string name(const std::string& run) { return GetParam().name + run; }
  static std::vector<std::string> train(const std::string& run,
                                        const std::vector<std::string>& more = {}) {
    std::vector<std::string> options = {"--method",
                                        GetParam().method,
                                        "--train.steps",
                                        std::to_string(kSteps),
                                        "--train.learning-rate",
                                        "0.001",
                                        "--train.checkpoint-every",
                                        "2",
                                        "--train.keep",
                                        "1"};
    options.insert(options.end(), GetParam().options.begin(), GetParam().options.end());
    options.insert(options.end(), more.begin(), more.end());
    return project_->call_in(name(run), "train", options);
  }
  static std::filesystem::path folder(const std::string& run) { return project_->path(name(run)); }

  struct Outcome {
    std::vector<std::string> lines;
    std::vector<double> losses;
    std::string state;
  };
  static Outcome outcome_of(const std::string& run) {
    Outcome outcome;
    std::ifstream file(folder(run) / "metrics.jsonl");
    for (std::string text; std::getline(file, text);) {
      nlohmann::json line = nlohmann::json::parse(text);
      for (const char* timed : {"tokens_per_second", "seconds", "peak_memory_bytes", "xxh3_128"}) {
        line.erase(timed);
      }
      outcome.lines.push_back(line.dump());
      if (line.contains("loss")) outcome.losses.push_back(line["loss"]);
    }
    outcome.state = slurp(folder(run) / "checkpoints/step-00000009/state.safetensors");
    EXPECT_EQ(outcome.losses.size(), static_cast<std::size_t>(kSteps));
    EXPECT_FALSE(outcome.state.empty());
    return outcome;
  }

  static std::unique_ptr<TinyProject> project_;
};

std::unique_ptr<TinyProject> MethodsResume::project_;

TEST_P(MethodsResume, GoesOnToTheSameNumbersAndIsEvaluated) {
  const ChildResult whole = run_softcot(train("whole"));
  ASSERT_EQ(whole.status, 0) << whole.err;
  const Outcome expected = outcome_of("whole");
  EXPECT_LT(expected.losses[kStageSteps - 1], expected.losses[0]);
  for (const int killed : {2, kStageSteps, kStageSteps + 1, kSteps - 1}) {
    SCOPED_TRACE("killed after step " + std::to_string(killed));
    const std::string run = "killed" + std::to_string(killed);
    JobOptions crash;
    crash.environment["SOFTCOT_CRASH_AT"] = "train.step#" + std::to_string(killed);
    ASSERT_EQ(run_softcot(train(run), crash).status, 128 + SIGKILL);
    const ChildResult resumed = run_softcot(train(run, {"--resume"}));
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    const Outcome got = outcome_of(run);
    EXPECT_EQ(got.lines, expected.lines);
    EXPECT_TRUE(got.state == expected.state) << "the final state differs";
  }

  // Four ranks from the second stage on.
  JobOptions crash;
  crash.environment["SOFTCOT_CRASH_AT"] = "train.step#5";
  ASSERT_EQ(run_softcot(train("moved"), crash).status, 128 + SIGKILL);
  const ChildResult moved =
      run_softcot(train("moved", {"--resume", "--parallel.tp", "2"}), on_ranks(4));
  ASSERT_EQ(moved.status, 0) << moved.err;
  const Outcome got = outcome_of("moved");
  for (int s = 0; s < kSteps; ++s) EXPECT_NEAR(got.losses[s] / expected.losses[s], 1.0, 1e-3) << s;

  const ChildResult alone = run_softcot(project_->call_in(
      name("whole"), "evaluate",
      {"--method", GetParam().method, "--max-new-tokens", "6", "--evaluate.every-stage", "true"}));
  ASSERT_EQ(alone.status, 0) << alone.err;
  const auto methods = nlohmann::json::parse(slurp(folder("whole") / "results.json")).at("methods");
  EXPECT_EQ(methods.size(), 1 + GetParam().stages);  // and zero-shot
  EXPECT_EQ(methods.back().at("questions"), TinyProject::kEvalQuestions);

  const std::string question = "Tom has 3 pens and buys 4. How many?";
  const ChildResult answer = run_softcot(project_->call_in(
      name("whole"), "generate", {"--question", question, "--max-new-tokens", "4"}));
  EXPECT_EQ(answer.status, 0) << answer.err;
}

TEST_P(MethodsResume, OtherRowsOrAnotherTokenizerAreRefused) {
  JobOptions crash;
  crash.environment["SOFTCOT_CRASH_AT"] = "train.step#3";
  ASSERT_EQ(run_softcot(train("other"), crash).status, 128 + SIGKILL);
  expect_refused(train("other", {"--resume", "--data.limit", "20"}), 5,
                 {"rows.count", "expected 20, got 24"});

  // One word of one rationale, under the same name.
  const auto questions = project_->path("train.jsonl");
  const std::string before = slurp(questions);
  std::string edited = before;
  const auto sum = edited.find('=');
  edited[edited.find_last_of("0123456789", sum)] ^= 1;
  spill(questions, edited);
  expect_refused(train("other", {"--resume"}), 5, {"rows.hash"});
  spill(questions, before);
  ASSERT_EQ(run_softcot(train("other", {"--resume"})).status, 0);

  // Two pieces of text change their numbers.
  const auto tokenizer = project_->path("backbone") / "tokenizer.json";
  const std::string vocabulary = slurp(tokenizer);
  auto json = nlohmann::json::parse(vocabulary);
  std::swap(json["model"]["vocab"]["x"], json["model"]["vocab"]["y"]);
  spill(tokenizer, json.dump());
  expect_refused(train("other", {"--resume"}), 5, {"backbone.tokenizer"});
  expect_refused(project_->call_in(name("other"), "evaluate", {"--method", GetParam().method}), 5,
                 {"another tokenizer"});
  spill(tokenizer, vocabulary);
}

INSTANTIATE_TEST_SUITE_P(Methods, MethodsResume, ::testing::ValuesIn(variants()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

/// The held-out losses of a run, with the step and stage that each line names.
std::vector<std::tuple<int, int, double>> heldout_of(const std::filesystem::path& run) {
  std::vector<std::tuple<int, int, double>> found;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string text; std::getline(file, text);) {
    const auto line = nlohmann::json::parse(text);
    if (!line.contains("heldout_loss")) continue;
    found.emplace_back(line["step"], line.value("stage", -1), line["heldout_loss"]);
  }
  return found;
}

TEST(CoconutTraining, EachStageIsMeasuredOnItsOwnRowsFromItsBeginOn) {
  const TinyProject project;
  std::string questions;
  for (const int n : {3, 14, 25, 36}) {
    questions += nlohmann::json{{"question", fmt::format("What is {} + 2, times 3?", n)},
                                {"answer", fmt::format("{0} + 2 = {1}\n{1} * 3 = {2}\n#### {2}", n,
                                                       n + 2, 3 * (n + 2))}}
                     .dump() +
                 "\n";
  }
  const auto file = write_text(project.path("two-steps.jsonl"), questions);
  const auto train = [&](const std::string& run, const std::vector<std::string>& more) {
    std::vector<std::string> options = {
        "--method", "coconut", "--data.file", file, "--data.eval-file", file, "--train.eval-every",
        "1", "--coconut.max-stage", "1", "--coconut.steps-per-stage", "2",
        // So little that only the rows tell the stages apart.
        "--train.learning-rate", "1e-9"};
    options.insert(options.end(), more.begin(), more.end());
    const ChildResult result = run_softcot(project.call_in(run, "train", options));
    EXPECT_EQ(result.status, 0) << result.err;
    return heldout_of(project.path(run));
  };
  // Stage 1 alone and stage 2 alone, from the first step on.
  const std::vector<std::string> from_start = {"--coconut.ablation", "no_curriculum",
                                               "--train.steps", "1", "--coconut.final-stage"};
  auto first_hidden = from_start;
  first_hidden.emplace_back("off");
  auto all_hidden = from_start;
  all_hidden.emplace_back("on");
  const double one = std::get<2>(train("one", first_hidden).at(0));
  const double two = std::get<2>(train("two", all_hidden).at(0));
  EXPECT_GT(std::abs(one - two), 1e-3);

  const auto losses = train("curriculum", {"--train.steps", "6"});
  const double none = std::get<2>(losses.at(0));
  EXPECT_GT(std::abs(one - none), 1e-3);
  const std::vector<std::tuple<int, int, double>> expected = {
      {0, 0, none}, {1, 0, none}, {2, 0, none}, {2, 1, one}, {3, 1, one},
      {4, 1, one},  {4, 2, two},  {5, 2, two},  {6, 2, two}};
  ASSERT_EQ(losses.size(), expected.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(std::get<0>(losses[i]), std::get<0>(expected[i]));
    EXPECT_EQ(std::get<1>(losses[i]), std::get<1>(expected[i]));
    EXPECT_NEAR(std::get<2>(losses[i]), std::get<2>(expected[i]), 1e-5);
  }
}

TEST(CoconutTraining, TheOptimizerIsResetWhenAsked) {
  const TinyProject project;
  // 24 rows make epochs of two updates, and two stages of four.
  const auto train = [&](const std::string& when, const std::vector<std::string>& more = {}) {
    std::vector<std::string> options = {"--method",
                                        "coconut",
                                        "--train.batch",
                                        "12",
                                        "--train.steps",
                                        "8",
                                        "--train.keep",
                                        "1",
                                        "--lora.dropout",
                                        "0",
                                        "--coconut.max-stage",
                                        "1",
                                        "--coconut.final-stage",
                                        "off",
                                        "--coconut.steps-per-stage",
                                        "4",
                                        "--train.learning-rate",
                                        "0.01",
                                        "--train.checkpoint-every",
                                        "1",
                                        "--coconut.reset-optimizer",
                                        when};
    options.insert(options.end(), more.begin(), more.end());
    return project.call_in(when + (more.empty() ? "" : "-again"), "train", options);
  };
  const auto losses = [&](const std::string& run) {
    std::vector<double> found;
    std::ifstream file(project.path(run) / "metrics.jsonl");
    for (std::string text; std::getline(file, text);) {
      const auto line = nlohmann::json::parse(text);
      if (line.contains("loss")) found.push_back(line["loss"]);
    }
    EXPECT_EQ(found.size(), 8U);
    found.resize(8);
    return found;
  };
  for (const char* when : {"never", "stage", "epoch"}) {
    const ChildResult made = run_softcot(train(when));
    ASSERT_EQ(made.status, 0) << made.err;
  }
  const auto never = losses("never");
  const auto stage = losses("stage");
  const auto epoch = losses("epoch");
  // An update that starts without moments shows in the loss after it.
  for (int i = 0; i < 8; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(stage[i] == never[i], i <= 4);
    EXPECT_EQ(epoch[i] == stage[i], i <= 2);
  }
  JobOptions crash;
  crash.environment["SOFTCOT_CRASH_AT"] = "train.step#2";  // the epoch's last update
  ASSERT_EQ(run_softcot(train("epoch", {"--resume"}), crash).status, 128 + SIGKILL);
  ASSERT_EQ(run_softcot(train("epoch", {"--resume"})).status, 0);
  EXPECT_EQ(losses("epoch-again"), epoch);
}

TEST(CoconutTraining, ItsOptimizerOptionChangesNoOtherMethod) {
  const TinyProject project;
  const auto metrics = [&](const std::string& when) {
    const ChildResult made =
        run_softcot(project.call_in(when, "train",
                                    {"--method", "lora", "--train.batch", "12", "--train.steps",
                                     "6", "--coconut.reset-optimizer", when}));
    EXPECT_EQ(made.status, 0) << made.err;
    std::vector<double> losses;
    std::ifstream file(project.path(when) / "metrics.jsonl");
    for (std::string text; std::getline(file, text);) {
      const auto line = nlohmann::json::parse(text);
      if (line.contains("loss")) losses.push_back(line["loss"]);
    }
    EXPECT_EQ(losses.size(), 6U);
    return losses;
  };
  EXPECT_EQ(metrics("epoch"), metrics("stage"));
}

TEST(CoconutTraining, RowsOfFewStepsAreTrainedOnAllLatents) {
  const TinyProject project;
  const std::string line =
      nlohmann::json{{"question", "What is 3 + 2?"}, {"answer", "3 + 2 = 5\n#### 5"}}.dump() + "\n";
  const std::string longer = nlohmann::json{{"question", "What is 4 + 2, times 3?"},
                                            {"answer", "4 + 2 = 6\n6 * 3 = 18\n#### 18"}}
                                 .dump() +
                             "\n";
  const auto file = write_text(project.path("mixed.jsonl"), line + longer);
  const auto loss = [&](const std::string& run, const std::vector<std::string>& more) {
    std::vector<std::string> options = {"--method",
                                        "coconut",
                                        "--data.file",
                                        file,
                                        "--data.eval-file",
                                        file,
                                        "--data.eval-limit",
                                        "1",
                                        "--train.steps",
                                        "1",
                                        "--coconut.max-stage",
                                        "2",
                                        "--coconut.ablation",
                                        "no_curriculum",
                                        "--train.learning-rate",
                                        "1e-9"};
    options.insert(options.end(), more.begin(), more.end());
    const ChildResult result = run_softcot(project.call_in(run, "train", options));
    EXPECT_EQ(result.status, 0) << result.err;
    return std::get<2>(heldout_of(project.path(run)).at(0));
  };
  // The first row has one step: stage 2 hides it, and so does the final stage.
  const double final_stage = loss("final", {});
  const double last_of_steps = loss("steps", {"--coconut.final-stage", "off"});
  EXPECT_NEAR(final_stage, last_of_steps, 1e-6);
  EXPECT_NEAR(loss("steps-off", {"--coconut.final-stage", "off", "--coconut.pad-latents", "off"}),
              last_of_steps, 1e-6);
  EXPECT_GT(std::abs(loss("final-off", {"--coconut.pad-latents", "off"}) - final_stage), 1e-3);
}

TEST(CoconutTraining, AWarmUpAsLongAsTheTrainingIsRefused) {
  const TinyProject project;
  for (const char* method : {"coconut", "lora"}) {
    expect_refused(
        project.call_in("run", "train",
                        {"--method", method, "--train.steps", "9", "--train.warmup-steps", "9",
                         "--coconut.max-stage", "1", "--coconut.steps-per-stage", "1"}),
        2, {"train.warmup-steps", "below 9", "got 9"});
  }
}

TEST(CoconutTraining, AStageBeyondTheRationalesIsRefused) {
  const TinyProject project;
  expect_refused(project.call_in("run", "train",
                                 {"--method", "coconut", "--train.steps", "90",
                                  "--coconut.steps-per-stage", "1", "--coconut.max-stage", "7"}),
                 2, {"coconut.max-stage", "at most 1", "7"});
  EXPECT_FALSE(std::filesystem::exists(project.path("run") / "metrics.jsonl"));
}

}  // namespace
}  // namespace softcot::test
