// Suites: what is run, what is not run again, what a failing or killed cell leaves behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Compare : public ::testing::Test {
 protected:
  Compare() {
    std::string questions;
    for (int i = 0; i < 6; ++i) {
      const nlohmann::json line = {{"question", "What is " + std::to_string(i) + " + 2?"},
                                   {"rationale", "Add 2."},
                                   {"answer", std::to_string(i + 2)},
                                   {"type", "number"}};
      questions += line.dump() + "\n";
    }
    write_text(project_.path("own.jsonl"), questions);
  }

  /// A suite over the tiny project: four methods, two training seeds, one task to transfer to.
  std::filesystem::path suite(const std::string& methods, const std::string& more = "") const {
    std::string text = "[suite]\ntitle = Tiny\nsource = nowhere\nseeds = 1, 2\ntasks = gsm8k\n";
    text += "transfer = jsonl\nmethods = " + methods + "\n";
    text += "[model]\npath = " + project_.path("backbone").string() + "\n";
    text += "[assistant]\npath = " + project_.path("assistant").string() + "\n";
    text += "[prompts]\nfile = " + project_.path("prompts.txt").string() + "\n";
    text += "[thoughts]\ncount = 3\ncache = " + project_.path("caches").string() + "\n";
    text += "[train]\nsteps = 4\nbatch = 4\nlearning-rate = 0.005\ncheckpoint-every = 2\n";
    text += "[evaluate]\nmax-new-tokens = 6\n";
    text += "[task.gsm8k]\ndata.file = " + project_.path("train.jsonl").string() +
            "\ndata.eval-file = " + project_.path("eval.jsonl").string() + "\n";
    text += "[task.jsonl]\ndata.eval-file = " + project_.path("own.jsonl").string() + "\n";
    return write_text(project_.path("suite.cfg"), text + more);
  }

  static std::vector<std::string> call(const std::filesystem::path& suite,
                                       const std::filesystem::path& out,
                                       const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"compare", "--suite", suite, "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  TinyProject project_;
};

constexpr const char* kMethods = "zero_shot_cot, zero_shot_assist_cot, softcot, softcot:n1, lora";
constexpr const char* kVariant =
    "[variant.n1]\nthoughts.eval-count = 1\n[published]\ngsm8k.softcot = 81.03\n";

TEST_F(Compare, MakesOneTableAndRunsNothingTwice) {
  const auto file = suite(kMethods, kVariant);
  const auto out = project_.path("whole");
  const ChildResult first = run_softcot(call(file, out));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("gsm8k, 10 questions"), HasSubstr("jsonl, 6 questions"),
                               HasSubstr("81.03"), HasSubstr("SoftCoT (gsm8k)"), HasSubstr("3 / 1"),
                               HasSubstr(" sd")));
  const auto table = slurp(out / "table.md");
  const auto json = nlohmann::json::parse(slurp(out / "result.json"));
  EXPECT_EQ(json.at("rows").size(), 10U);  // five entries on two tasks
  EXPECT_EQ(json.at("rows").at(2).at("result").at("over_seeds").at("seeds"), 2);
  EXPECT_EQ(json.at("rows").at(2).at("published_percent"), 81.03);

  const auto log = slurp(out / "softcot-gsm8k-seed2" / "cell.log");
  const ChildResult again = run_softcot(call(file, out));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(slurp(out / "softcot-gsm8k-seed2" / "cell.log"), log);
  EXPECT_EQ(slurp(out / "table.md"), table);

  // Two ranks share the same work, and every cell's training falls at its third step.
  const auto disturbed = project_.path("disturbed");
  JobOptions crash;
  crash.environment["SOFTCOT_CRASH_AT"] = "train.step#3";
  const ChildResult killed = run_softcot(call(file, disturbed), crash);
  EXPECT_EQ(killed.status, 128 + SIGKILL) << killed.err;
  EXPECT_TRUE(std::filesystem::exists(disturbed / "zero_shot_cot-gsm8k" / "cell.done"));
  EXPECT_THAT(slurp(disturbed / "lora-gsm8k-seed1" / "cell.failed"), HasSubstr("train 137"));
  EXPECT_FALSE(std::filesystem::exists(disturbed / "lora-gsm8k-seed1" / "cell.done"));
  const ChildResult resumed = run_softcot(call(file, disturbed));
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_FALSE(std::filesystem::exists(disturbed / "lora-gsm8k-seed1" / "cell.failed"));
  EXPECT_EQ(slurp(disturbed / "table.md"), table);
  EXPECT_EQ(slurp(disturbed / "table.csv"), slurp(out / "table.csv"));
}

TEST_F(Compare, WhatTheAssistantWritesIsTheSameOnAnyNumberOfRanks) {
  const auto text_of = [&](const std::string& cache, int ranks) {
    const ChildResult made =
        run_softcot(project_.call("precompute", {"--thoughts.cache", project_.path(cache),
                                                 "--evaluate.methods", "zero_shot_assist_cot"}),
                    on_ranks(ranks));
    EXPECT_EQ(made.status, 0) << made.err;
    std::map<std::string, std::string> texts;
    for (const std::string& name : names_below(project_.path(cache))) {
      if (!name.ends_with("texts.jsonl")) continue;
      std::istringstream lines(slurp(project_.path(cache) / name));
      for (std::string line; std::getline(lines, line);) {
        const auto sample = nlohmann::json::parse(line);
        if (sample.contains("question_id")) texts[sample["question_id"]] = sample["ids"].dump();
      }
    }
    return texts;
  };
  const auto alone = text_of("alone", 0);
  EXPECT_EQ(alone.size(), static_cast<std::size_t>(TinyProject::kEvalQuestions));
  EXPECT_EQ(text_of("two", 2), alone);
  EXPECT_EQ(text_of("three", 3), alone);
}

TEST_F(Compare, DryRunTouchesNothing) {
  const auto out = project_.path("dry");
  const ChildResult plan = run_softcot(call(suite(kMethods, kVariant), out, {"--dry-run"}));
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, AllOf(HasSubstr("softcot-n1-gsm8k-seed2"), HasSubstr("to do"),
                              HasSubstr("softcot evaluate --config")));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Compare, ABadSuiteIsRefusedWithAllThatIsWrong) {
  const auto refused = [&](const std::string& methods, const std::string& more) {
    const ChildResult result = run_softcot(call(suite(methods, more), project_.path("bad")));
    EXPECT_EQ(result.status, 2);
    EXPECT_FALSE(std::filesystem::exists(project_.path("bad")));
    return result.err;
  };
  EXPECT_THAT(refused("zero_shot_cot, sofcot, softcot:n9", "[method.lora]\ntrain.steps = 1\n"),
              AllOf(HasSubstr("did you mean softcot?"), HasSubstr("unknown variant"),
                    HasSubstr("section for a method that the suite does not have")));
  EXPECT_THAT(refused("softcot", "[method.softcot]\ntrain.step = 1\n"),
              AllOf(HasSubstr("cell softcot-gsm8k-seed1"), HasSubstr("did you mean train.steps?")));
  EXPECT_THAT(refused("softcot", "[published]\ngsm8k.lora = 7\n"),
              HasSubstr("published figure of no cell"));
  EXPECT_THAT(refused("softcot, softcot", ""), HasSubstr("two cells in one folder"));
  expect_refused(call(suite("softcot"), project_.path("bad")), 2, {"compare starts its ranks"},
                 on_ranks(2));
}

}  // namespace
}  // namespace softcot::test
