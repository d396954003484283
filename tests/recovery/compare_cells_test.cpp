// The cells of a suite: on ranks, between tasks, killed with compare itself, failing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CompareCells : public ::testing::Test {
 protected:
  CompareCells() {
    std::string questions;
    for (int i = 0; i < 8; ++i) {
      const nlohmann::json line = {{"question", "What is " + std::to_string(i) + " + 2?"},
                                   {"rationale", {"Add 2."}},
                                   {"answer", std::to_string(i + 2)},
                                   {"type", "number"}};
      questions += line.dump() + "\n";
    }
    spill(project_.path("own.jsonl"), questions);
  }

  std::filesystem::path suite(const std::string& head, const std::string& more = "") const {
    std::string text = "[suite]\ntitle = Tiny\n" + head;
    text += "[model]\npath = " + project_.path("backbone").string() + "\n";
    text += "[assistant]\npath = " + project_.path("assistant").string() + "\n";
    text += "[prompts]\nfile = " + project_.path("prompts.txt").string() + "\n";
    text += "[thoughts]\ncount = 3\ncache = " + project_.path("caches").string() + "\n";
    text += "[train]\nsteps = 6\nbatch = 4\nlearning-rate = 0.005\ncheckpoint-every = 2\n";
    text += "[evaluate]\nmax-new-tokens = 6\n";
    text += "[task.gsm8k]\ndata.file = " + project_.path("train.jsonl").string() +
            "\ndata.eval-file = " + project_.path("eval.jsonl").string() + "\n";
    spill(project_.path("suite.cfg"), text + more);
    return project_.path("suite.cfg");
  }
  std::string own_task() const {
    return "[task.jsonl]\ndata.file = " + project_.path("own.jsonl").string() +
           "\ndata.limit = 5\ndata.eval-file = " + project_.path("own.jsonl").string() +
           "\ndata.eval-offset = 5\n";
  }

  static std::vector<std::string> call(const std::filesystem::path& suite,
                                       const std::filesystem::path& out,
                                       std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"compare", "--suite", suite, "--out", out});
    return more;
  }
  static nlohmann::json result(const std::filesystem::path& out) {
    return nlohmann::json::parse(slurp(out / "result.json"));
  }

  TinyProject project_;
};

constexpr const char* kOneTask = "methods = zero_shot_cot, softcot, lora\ntasks = gsm8k\n";

TEST_F(CompareCells, EachTaskIsTestedFromEachOtherAndZeroShotOnce) {
  const auto file = suite(
      "methods = zero_shot_cot, softcot\ntasks = gsm8k, jsonl\ntransfer = gsm8k, jsonl\n"
      "seeds = 1, 2\n",
      own_task());
  const auto out = project_.path("out");
  const ChildResult made = run_softcot(call(file, out));
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out, AllOf(HasSubstr("Transfer, accuracy %"), HasSubstr("SoftCoT (jsonl)"),
                              HasSubstr(" sd")));
  const auto json = result(out);
  EXPECT_TRUE(json.at("missing").empty());
  std::vector<std::string> rows;
  for (const auto& row : json.at("rows")) {
    rows.push_back(row["task"].get<std::string>() + " " + row["method"].get<std::string>() + " " +
                   row["trained_on"].get<std::string>());
    const bool zero_shot = row["method"] == "zero_shot_cot";
    const std::size_t questions = row["task"] == "gsm8k" ? TinyProject::kEvalQuestions : 3;
    EXPECT_EQ(row["runs"].size(), zero_shot ? 1U : 2U) << row.dump();
    EXPECT_EQ(row["result"]["questions"], questions);
    EXPECT_EQ(row["result"]["samples"], questions * (zero_shot ? 1 : 2));
    EXPECT_EQ(row["result"].contains("against_baseline"), !zero_shot);
    for (const auto& run : row["runs"]) {
      EXPECT_TRUE(std::filesystem::exists(out / run["folder"].get<std::string>() / "results.json"));
      EXPECT_EQ(run["model_hashes"].size(), zero_shot ? 1U : 3U);
    }
  }
  EXPECT_THAT(rows, ::testing::ElementsAre("gsm8k zero_shot_cot ", "gsm8k softcot gsm8k",
                                           "gsm8k softcot jsonl", "jsonl zero_shot_cot ",
                                           "jsonl softcot gsm8k", "jsonl softcot jsonl"));
  // The NLL of two training seeds is their mean, here of equally many tokens.
  double mean = 0;
  for (const char* seed : {"1", "2"}) {
    const auto own = nlohmann::json::parse(
        slurp(out / ("softcot-gsm8k-seed" + std::string(seed)) / "results.json"));
    mean += own["methods"][0]["nll_per_token"]["value"].get<double>() / 2;
  }
  EXPECT_NEAR(json["rows"][1]["result"]["nll_per_token"]["value"].get<double>(), mean, 1e-9);
}

TEST_F(CompareCells, RanksMakeTheSameTable) {
  const auto file = suite(kOneTask);
  // AdamW moves a weight whose gradient is nothing but rounding by the whole learning rate.
  const auto slowly = [&](const std::string& out, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--train.learning-rate", "0.0005"});
    return run_softcot(call(file, project_.path(out), more));
  };
  ASSERT_EQ(slowly("one").status, 0);
  const ChildResult two =
      slowly("two", {"--ranks", "2", "--thoughts.cache", project_.path("other")});
  ASSERT_EQ(two.status, 0) << two.err;
  EXPECT_THAT(slurp(project_.path("two") / "softcot-gsm8k-seed41" / "cell.log"),
              HasSubstr("2 ranks: dp 2"));
  const auto one_rows = result(project_.path("one"))["rows"];
  const auto two_rows = result(project_.path("two"))["rows"];
  ASSERT_EQ(one_rows.size(), 3U);
  ASSERT_EQ(two_rows.size(), 3U);
  double largest = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto nll = [i](const nlohmann::json& rows) {
      return rows[i]["result"]["nll_per_token"]["value"].get<double>();
    };
    largest = std::max(largest, std::abs(nll(two_rows) - nll(one_rows)));
    EXPECT_EQ(two_rows[i]["runs"][0]["settings_hash"], one_rows[i]["runs"][0]["settings_hash"]);
  }
  std::cout << "largest difference " << largest << " nats\n";
  EXPECT_LT(largest, 1e-5);
  // Where the caches lie and how many ranks there are is no other cell.
  const ChildResult again = slowly("two", {"--dry-run"});
  EXPECT_THAT(again.out, Not(HasSubstr("to do")));
}

TEST_F(CompareCells, KilledItTakesItsStepWithItAndGoesOn) {
  const auto file = suite(kOneTask);
  const auto whole = project_.path("whole");
  ASSERT_EQ(run_softcot(call(file, whole)).status, 0);
  const auto out = project_.path("out");
  int kills = 0;
  for (const char* method : {"softcot", "lora"}) {
    const auto cell = out / (std::string(method) + "-gsm8k-seed41");
    Job job(call(file, out));
    const bool there = wait_until(
        [&] { return std::filesystem::exists(cell / "metrics.jsonl") || !job.running(); });
    ASSERT_TRUE(there);
    if (kill(job.launcher(), SIGKILL) == 0) ++kills;
    job.wait(std::chrono::seconds(30));  // Also for the step, which nobody but the kernel ends.
    EXPECT_FALSE(std::filesystem::exists(cell / "cell.done"));
    EXPECT_FALSE(std::filesystem::exists(out / "table.md"));
  }
  EXPECT_EQ(kills, 2);
  const ChildResult finished = run_softcot(call(file, out));
  ASSERT_EQ(finished.status, 0) << finished.err;
  for (const char* name : {"table.md", "table.csv", "result.json"}) {
    EXPECT_EQ(slurp(out / name), slurp(whole / name)) << name;
  }
}

TEST_F(CompareCells, AskedToStopItSaysSoAndGoesOn) {
  const auto out = project_.path("out");
  const auto long_suite = suite("methods = lora\ntasks = gsm8k\n");
  Job job(call(long_suite, out, {"--train.steps", "400"}));
  const auto cell = out / "lora-gsm8k-seed41";
  ASSERT_TRUE(wait_until([&] {
    return lines_with(slurp(cell / "metrics.jsonl"), "loss").size() > 2 || !job.running();
  }));
  ASSERT_EQ(kill(job.launcher(), SIGTERM), 0);
  const ChildResult stopped = job.wait();
  EXPECT_EQ(stopped.status, 75) << stopped.err;
  EXPECT_FALSE(std::filesystem::exists(cell / "cell.failed"));
  EXPECT_FALSE(names_below(cell / "checkpoints").empty());
  const ChildResult other = run_softcot(call(long_suite, out));
  // A training of other settings is not taken over, nor is it lost.
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("kept in " + (cell / "set-aside-1").string()));
  EXPECT_FALSE(names_below(cell / "set-aside-1/checkpoints").empty());
  EXPECT_THAT(lines_with(slurp(cell / "metrics.jsonl"), "grad_norm"), ::testing::SizeIs(6));
}

TEST_F(CompareCells, AFailingCellIsRecordedAndTheOthersFinish) {
  const auto file =
      suite("methods = softcot:lost, lora, zero_shot_cot\ntasks = gsm8k\n",
            "[variant.lost]\nassistant.path = " + project_.path("nowhere").string() + "\n");
  const auto out = project_.path("out");
  // The steps must not read what stands in the environment beside their cell.
  JobOptions job;
  job.environment["SOFTCOT_EVALUATE_MAX_NEW_TOKENS"] = "4";
  job.environment["SOFTCOT_RUN_FOLDER"] = project_.path("stray");
  const ChildResult refused = run_softcot(call(file, out), job);
  EXPECT_EQ(refused.status, 3) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("nowhere"), HasSubstr("--keep-going")));
  EXPECT_FALSE(std::filesystem::exists(out));
  const ChildResult made = run_softcot(call(file, out, {"--keep-going"}), job);
  EXPECT_EQ(made.status, 3) << made.err;
  EXPECT_FALSE(std::filesystem::exists(project_.path("stray")));
  EXPECT_FALSE(std::filesystem::exists(out / "softcot-lost-gsm8k-seed41" / "cell.log"));
  EXPECT_THAT(made.out, HasSubstr("missing: softcot-lost-gsm8k-seed41: failed: check 3"));
  const auto json = result(out);
  ASSERT_EQ(json["missing"].size(), 1U);
  EXPECT_THAT(json["missing"][0]["reason"].get<std::string>(),
              AllOf(HasSubstr("error[3]"), HasSubstr("nowhere")));
  EXPECT_FALSE(json["rows"][0].contains("result"));
  EXPECT_TRUE(json["rows"][1]["result"].contains("against_baseline"));
  EXPECT_LE(json["rows"][1]["result"]["mean_new_tokens"].get<double>(), 4);
  // With the model where it belongs only that cell is run.
  make_tiny_model(project_.path("nowhere"), "llama-assistant");
  const ChildResult mended = run_softcot(call(file, out, {"--max-new-tokens", "4"}));
  EXPECT_EQ(mended.status, 0) << mended.err;
  EXPECT_THAT(mended.err, AllOf(HasSubstr("softcot-lost-gsm8k-seed41: train"),
                                Not(HasSubstr("lora-gsm8k-seed41: train"))));
  EXPECT_TRUE(result(out)["missing"].empty());
  // Under other settings its results are not shown.
  const ChildResult other = run_softcot(call(file, out, {"--dry-run"}));
  EXPECT_THAT(other.out, HasSubstr("to do"));
}

}  // namespace
}  // namespace softcot::test
