// Sweeps: what the points of a grid share, what is not run again, what a failed or killed cell
// leaves behind, who is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Sweep : public ::testing::Test {
 protected:
  /// A sweep file over the tiny project.
  std::filesystem::path file(const std::string& axes, const std::string& more = "",
                             const std::string& name = "sweep.cfg") const {
    std::string text = "[sweep]\ntitle = Tiny\n[axes]\n" + axes;
    text += "[model]\npath = " + project_.path("backbone").string() + "\n";
    text += "[assistant]\npath = " + project_.path("assistant").string() + "\n";
    text += "[prompts]\nfile = " + project_.path("prompts.txt").string() + "\n";
    text += "[data]\nfile = " + project_.path("train.jsonl").string() +
            "\neval-file = " + project_.path("eval.jsonl").string() + "\neval-limit = 4\n";
    text += "[thoughts]\nprompt = uncounted\ncache = " + project_.path("caches").string() + "\n";
    text += "[train]\nsteps = 3\nbatch = 2\nlearning-rate = 0.005\ncheckpoint-every = 1\n";
    text += "[evaluate]\nmax-new-tokens = 2\n";
    spill(project_.path(name), text + more);
    return project_.path(name);
  }

  static std::vector<std::string> call(const std::filesystem::path& file,
                                       const std::filesystem::path& out,
                                       std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"sweep", "--config", file, "--out", out});
    return more;
  }
  static nlohmann::json record(const std::filesystem::path& out) {
    return nlohmann::json::parse(slurp(out / "sweep.json"));
  }
  static std::vector<std::string> all(const nlohmann::json& record, const char* key) {
    std::vector<std::string> values;
    for (const auto& cell : record.at("cells")) values.push_back(cell.at(key));
    return values;
  }
  /// The steps that a call has started, "trained/softcot-count2: train".
  static std::set<std::string> started(const std::string& log) {
    std::set<std::string> steps;
    for (const char* step : {": precompute", ": train", ": evaluate"}) {
      for (const std::string& line : lines_with(log, step)) {
        if (line.ends_with(step))
          steps.insert(line.substr(line.find_last_of(' ', line.find(step) - 1) + 1));
      }
    }
    return steps;
  }

  /// What runs have made, by name: all files but configs, logs, locks and marks.
  static std::map<std::string, std::string> contents(const std::filesystem::path& out) {
    std::map<std::string, std::string> files;
    for (const std::string& name : names_below(out)) {
      const auto file = std::filesystem::path(name).filename().string();
      const bool made = name.starts_with("cells/") || name.starts_with("trained/");
      if (!made || std::filesystem::is_directory(out / name)) continue;
      if (file.starts_with("cell.") || file.ends_with(".lock")) continue;
      files[name] = slurp(out / name);
    }
    return files;
  }

  TinyProject project_;
};

TEST_F(Sweep, SharesWhatCellsHaveInCommonAndAddsOnlyWhatIsNew) {
  const auto out = project_.path("out");
  const auto two = file("thoughts.count = 0, 2\nthoughts.eval-count = 1, 2\n");
  const ChildResult first = run_softcot(call(two, out, {"--jobs", "2"}));
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(started(first.err),
              UnorderedElementsAre("cells/zero_shot_cot: evaluate", "thoughts/train-n2: precompute",
                                   "thoughts/eval-n2: precompute", "trained/softcot-count2: train",
                                   "cells/softcot-count2: evaluate",
                                   "cells/softcot-count2-eval-count1: evaluate"));
  const auto json = record(out);
  EXPECT_EQ(json.at("schema"), "softcot-sweep/1");
  EXPECT_EQ(json.at("axes").at("thoughts.count"), nlohmann::json({0, 2}));
  EXPECT_THAT(all(json, "name"), ElementsAre("count0-eval-count1", "count0-eval-count2",
                                             "count2-eval-count1", "count2-eval-count2"));
  for (const auto& cell : json.at("cells")) {
    const bool zero = cell.at("axes").at("thoughts.count") == 0;
    EXPECT_EQ(cell.at("status"), "done") << cell;
    EXPECT_EQ(cell.at("method"), zero ? "zero_shot_cot" : "softcot");
    EXPECT_EQ(cell.at("baseline"), "cells/zero_shot_cot");
    EXPECT_EQ(cell.at("trained"), zero ? "" : "trained/softcot-count2");
    const auto results = nlohmann::json::parse(slurp(out / cell.at("results").get<std::string>()));
    EXPECT_THAT(results.at("methods"), SizeIs(zero ? 1 : 2));
  }
  // Zero-shot answers are those of the one cell that made them.
  EXPECT_EQ(slurp(out / "cells/zero_shot_cot/samples/zero_shot_cot.jsonl"),
            slurp(out / "cells/softcot-count2/samples/zero_shot_cot.jsonl"));
  EXPECT_THAT(slurp(out / "cells/softcot-count2/work.jsonl"), Not(HasSubstr("zero_shot")));
  EXPECT_THAT(lines_with(slurp(out / "cells.csv"), "done"), SizeIs(2 + 2 * 2));

  // The same again does nothing; a value more is all that is run.
  const auto bytes = slurp(out / "sweep.json");
  const ChildResult again = run_softcot(call(two, out));
  EXPECT_THAT(started(again.err), IsEmpty()) << again.err;
  EXPECT_EQ(slurp(out / "sweep.json"), bytes);
  const auto three = file("thoughts.count = 0, 1, 2\nthoughts.eval-count = 1, 2\n");
  const ChildResult more = run_softcot(call(three, out));
  ASSERT_EQ(more.status, 0) << more.err;
  EXPECT_THAT(
      started(more.err),
      UnorderedElementsAre("trained/softcot-count1: train", "cells/softcot-count1: evaluate",
                           "cells/softcot-count1-eval-count2: evaluate"));
  EXPECT_THAT(all(record(out), "status"), Each("done"));

  // Caches that no cell needs any more are not made again, nor promised.
  std::filesystem::remove_all(out / "thoughts");
  const ChildResult plan = run_softcot(call(three, out, {"--dry-run"}));
  EXPECT_TRUE(std::regex_search(plan.out, std::regex("thought caches +[1-9][0-9]* +0 ")))
      << plan.out;
  EXPECT_THAT(started(run_softcot(call(three, out)).err), IsEmpty());

  const ChildResult report = run_softcot({"report", out, "--out", project_.path("report")});
  EXPECT_EQ(report.status, 0) << report.err;
  EXPECT_THAT(slurp(project_.path("report") / "report.md"),
              AllOf(HasSubstr("N trained"), Not(HasSubstr("repeats"))));
}

TEST_F(Sweep, AnOptionThatDecidesNothingRedoesNothing) {
  const auto out = project_.path("out");
  const auto grid = file("method = zero_shot_cot, softcot, lora\n");
  const std::vector<std::string> plain = {"--thoughts.count", "2"};
  ASSERT_EQ(run_softcot(call(grid, out, plain)).status, 0);
  const auto before = contents(out);
  ASSERT_THAT(before, SizeIs(::testing::Ge(20U)));
  // Each of them; deciding_options_test has the proof that there are no others.
  for (const char* each :
       {"thoughts.cache=", "train.accumulation=2", "train.pack=off", "train.target-logits=off",
        "train.frozen-prefix=off", "train.shared-prefix=off", "train.eval-every=1",
        "train.checkpoint-every=2", "train.keep=1", "train.keep-every=1", "train.tensorboard=off",
        "train.tensorboard=on", "evaluate.batch=2", "evaluate.seed=5", "evaluate.top-p=0.5",
        "train.epochs=3", "parallel.check-every=1", "parallel.device=cpu",
        "parallel.timeout-seconds=9"}) {
    auto changed = plain;
    std::string option = std::string("--") + each;
    if (option.ends_with("=")) option += project_.path("other").string();
    changed.push_back(option);
    const ChildResult again = run_softcot(call(grid, out, changed));
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_THAT(started(again.err), IsEmpty()) << each;
    EXPECT_TRUE(contents(out) == before) << each;
  }
}

TEST_F(Sweep, TheReportShowsWhatTheTrainingWasMadeWith) {
  const auto out = project_.path("out");
  const auto grid = file("train.seed = 7, 8\n", "", "report.cfg");
  ASSERT_EQ(run_softcot(call(grid, out, {"--thoughts.count", "2"})).status, 0);
  const auto metrics =
      lines_with(slurp(out / "trained/softcot-seed7/metrics.jsonl"), "learning_rate");
  const double rate = nlohmann::json::parse(metrics.at(0)).at("learning_rate");
  const auto report = project_.path("report");
  ASSERT_EQ(run_softcot({"report", out, "--out", report}).status, 0);
  const std::string page = slurp(report / "report.html");
  EXPECT_THAT(lines_with(page, "training: config.cfg"), SizeIs(2));
  const auto rates = lines_with(page, "learning-rate = ");
  ASSERT_THAT(rates, SizeIs(2));
  for (const std::string& line : rates) EXPECT_EQ(std::stod(line.substr(16)), rate) << line;
  EXPECT_THAT(lines_with(page, "steps = 3 "), SizeIs(2));
  EXPECT_THAT(lines_with(page, "batch = 2 "), SizeIs(2));
  EXPECT_THAT(page, AllOf(HasSubstr("seed = 7 "), HasSubstr("seed = 8 ")));
  EXPECT_THAT(slurp(report / "report.md"), HasSubstr("2 trainings"));
}

TEST_F(Sweep, WhatWasMadeUnderOtherSettingsIsSetAside) {
  const auto out = project_.path("out");
  const auto grid = file("method = zero_shot_cot, softcot\n", "", "aside.cfg");
  const auto with = [&](const std::string& rate) {
    return call(grid, out, {"--thoughts.count", "2", "--train.learning-rate", rate});
  };
  ASSERT_EQ(run_softcot(with("0.005")).status, 0);
  const auto before = contents(out);
  const ChildResult other = run_softcot(with("0.01"));
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(started(other.err),
              UnorderedElementsAre("trained/softcot: train", "cells/softcot: evaluate"));
  EXPECT_THAT(other.err, HasSubstr("kept in " + (out / "cells/softcot/set-aside-1").string()));
  const auto after = contents(out);
  for (const auto& [name, bytes] : before) {
    const auto slash = name.find('/', name.find('/') + 1);
    const auto aside = name.substr(0, slash) + "/set-aside-1" + name.substr(slash);
    const bool redone = name.find("softcot/") != std::string::npos;
    EXPECT_EQ(after.at(redone ? aside : name), bytes) << name;
  }
  EXPECT_NE(after.at("trained/softcot/metrics.jsonl"), before.at("trained/softcot/metrics.jsonl"));
  // They are no results: neither here nor there.
  const ChildResult seen = run_softcot({"inspect", out});
  EXPECT_THAT(seen.out, HasSubstr("runs: 3"));
  ASSERT_EQ(run_softcot({"report", out, "--out", project_.path("report")}).status, 0);
  EXPECT_THAT(slurp(project_.path("report") / "report.md"), Not(HasSubstr("set-aside")));
  // With the first settings again, its answers are those of the first time.
  ASSERT_EQ(run_softcot(with("0.005")).status, 0);
  EXPECT_EQ(contents(out).at("cells/softcot/samples/softcot.jsonl"),
            before.at("cells/softcot/samples/softcot.jsonl"));
  EXPECT_THAT(slurp(out / "cells/softcot/work.jsonl"), Not(HasSubstr("evaluate")));
  EXPECT_TRUE(std::filesystem::exists(out / "cells/softcot/set-aside-2/results.json"));
}

TEST_F(Sweep, AFailedCellIsRecordedAndTheOthersFinish) {
  const auto broken = project_.path("broken");
  make_tiny_model(broken, "llama-assistant");
  // What no check before the start can see: weights that are not finite.
  for (const std::string& name : names_below(broken)) {
    if (!name.ends_with(".safetensors")) continue;
    std::string bytes = slurp(broken / name);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(sizeof header + header), bytes.end(),
              '\xFF');
    spill(broken / name, bytes);
  }
  const auto out = project_.path("out");
  const auto grid = file("assistant.path = " + broken.string() + ", " +
                             project_.path("assistant").string() + "\nmethod = softcot, lora\n",
                         "", "failing.cfg");
  // The axis takes the place of the section's.
  std::string text = slurp(grid);
  text.erase(text.find("[assistant]"), text.find("[prompts]") - text.find("[assistant]"));
  spill(grid, text);
  // Steps must not read what stands in the environment beside their cell.
  JobOptions job;
  job.environment["SOFTCOT_RUN_FOLDER"] = project_.path("stray");
  const ChildResult made = run_softcot(call(grid, out), job);
  EXPECT_EQ(made.status, 7) << made.err;
  EXPECT_FALSE(std::filesystem::exists(project_.path("stray")));
  EXPECT_THAT(made.out, AllOf(HasSubstr("missing: broken-softcot: failed: precompute 7: needs"),
                              HasSubstr("3 of 4 cells done")));
  const auto json = record(out);
  EXPECT_THAT(all(json, "status"), ElementsAre("failed", "done", "done", "done"));
  EXPECT_THAT(json["cells"][0]["error"].get<std::string>(),
              AllOf(HasSubstr("error[7]"), HasSubstr("broken")));
  EXPECT_EQ(json["cells"][1]["run"], json["cells"][3]["run"]);  // LoRA has no assistant.
  const ChildResult report = run_softcot({"report", out, "--out", project_.path("report")});
  EXPECT_THAT(report.err, HasSubstr("left out: out/broken-softcot: failed: precompute 7"));
  // Mended, only that is run.
  std::filesystem::remove_all(broken);
  make_tiny_model(broken, "llama-assistant");
  const ChildResult mended = run_softcot(call(grid, out));
  EXPECT_EQ(mended.status, 0) << mended.err;
  EXPECT_THAT(started(mended.err), Not(Contains(HasSubstr("lora"))));
  EXPECT_THAT(all(record(out), "error"), Each(""));
}

TEST_F(Sweep, MethodsThatTrainNothingAreCellsToo) {
  const auto out = project_.path("out");
  const auto grid = file(
      "method = zero_shot_cot_unk, zero_shot_assist_cot\nthoughts.count = 0, 2\n"
      "train.seed = 1, 2\n");
  const ChildResult made = run_softcot(call(grid, out, {"--jobs", "2"}));
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(started(made.err),
              UnorderedElementsAre(
                  "cells/zero_shot_cot: evaluate", "cells/zero_shot_cot_unk-count2: evaluate",
                  "thoughts/texts-n2: precompute", "cells/zero_shot_assist_cot-count2: evaluate"));
  EXPECT_THAT(record(out).at("cells"), SizeIs(8));
}

TEST_F(Sweep, SeedsOfWhatTheAssistantWritesMakeCellsOfTheirOwn) {
  const auto out = project_.path("out");
  const auto grid = file("evaluate.seed = 1, 2\n");
  const ChildResult made = run_softcot(call(grid, out,
                                            {"--method", "zero_shot_assist_cot", "--thoughts.count",
                                             "2", "--thoughts.written-temperature", "0.8"}));
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(
      started(made.err),
      UnorderedElementsAre("cells/zero_shot_cot: evaluate", "thoughts/texts-n2-seed1: precompute",
                           "thoughts/texts-n2-seed2: precompute",
                           "cells/zero_shot_assist_cot-seed1: evaluate",
                           "cells/zero_shot_assist_cot-seed2: evaluate"));
  // Greedy answers do not hang on the seed: they are taken over.
  EXPECT_THAT(slurp(out / "cells/zero_shot_assist_cot-seed2/work.jsonl"),
              Not(HasSubstr("\"zero_shot_cot\"")));
}

TEST_F(Sweep, StoppedItsTrainingSavesAndTheNextCallGoesOn) {
  const auto out = project_.path("out");
  const auto slow = file("train.seed = 1, 2\n");
  const std::vector<std::string> steps = {
      "--train.steps", "400", "--method", "prompt_tuning", "--train.checkpoint-every", "400"};
  const auto training = out / "trained/prompt_tuning-seed1";
  Job job(call(slow, out, steps));
  ASSERT_TRUE(wait_until(
      [&] { return std::filesystem::exists(training / "metrics.jsonl") || !job.running(); }));
  ASSERT_EQ(kill(job.launcher(), SIGTERM), 0);
  const ChildResult stopped = job.wait(std::chrono::seconds(60));
  EXPECT_EQ(stopped.status, 75) << stopped.err;
  EXPECT_THAT(names_below(training / "checkpoints"), Not(IsEmpty()));
  EXPECT_FALSE(std::filesystem::exists(training / "cell.failed"));
  const ChildResult finished = run_softcot(call(slow, out, steps));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_THAT(slurp(training / "cell.log"), HasSubstr("resum"));
}

TEST_F(Sweep, KilledItGoesOnWhereItWas) {
  const auto whole = project_.path("whole");
  const auto slow = file("train.seed = 1, 2\n");
  const std::vector<std::string> steps = {"--train.steps", "16", "--method", "prompt_tuning"};
  ASSERT_EQ(run_softcot(call(slow, whole, steps)).status, 0);
  const auto out = project_.path("out");
  const auto training = out / "trained/prompt_tuning-seed2";
  {
    Job job(call(slow, out, steps));
    ASSERT_TRUE(wait_until([&] {
      return std::filesystem::exists(training / "checkpoints/step-00000002") || !job.running();
    }));
    ASSERT_EQ(kill(job.launcher(), SIGKILL), 0);
    job.wait(std::chrono::seconds(30));
  }
  EXPECT_FALSE(std::filesystem::exists(training / "cell.done"));
  const auto first = slurp(out / "trained/prompt_tuning-seed1/cell.log");
  const ChildResult finished = run_softcot(call(slow, out, steps));
  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(slurp(out / "trained/prompt_tuning-seed1/cell.log"), first);
  EXPECT_THAT(slurp(training / "cell.log"), HasSubstr("resum"));
  EXPECT_EQ(slurp(out / "cells.csv"), slurp(whole / "cells.csv"));
  EXPECT_EQ(slurp(out / "sweep.json"), slurp(whole / "sweep.json"));
}

TEST_F(Sweep, SharesOfOneSweepRunTogetherAndOthersAreRefused) {
  const auto grid = file("thoughts.count = 0, 1, 2\n");
  const auto out = project_.path("out");
  const std::vector<std::string> slow = {"--train.steps", "30", "--shard"};
  const auto shard = [&](const std::string& share) {
    auto more = slow;
    more.push_back(share);
    return call(grid, out, more);
  };
  Job one(shard("1/2"));
  Job two(shard("2/2"));
  ASSERT_TRUE(wait_until(
      [&] { return std::filesystem::exists(out / "trained/softcot-count1/metrics.jsonl"); }));
  expect_refused(call(grid, out, {"--train.steps", "30"}), 2,
                 {"sweep folder is in use", "held by host", "process"});
  expect_refused(call(file("thoughts.count = 5\n", "", "other.cfg"), out, {"--shard", "1/2"}), 2,
                 {"sweep folder is in use", "held by host"});
  const ChildResult first = one.wait();
  const ChildResult second = two.wait();
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(all(record(out), "status"), Each("done"));
  const auto both = started(first.err);
  std::set<std::string> twice;
  for (const std::string& step : started(second.err)) {
    if (both.contains(step)) twice.insert(step);
  }
  EXPECT_THAT(twice, IsEmpty());
  EXPECT_EQ(both.size() + started(second.err).size(), 2U + 2U + 3U);
}

TEST_F(Sweep, RanksOfOneJobTakeCells) {
  const auto grid = file("thoughts.count = 0, 1, 2\n");
  const auto out = project_.path("out");
  const ChildResult made = run_softcot(call(grid, out), on_ranks(2));
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(all(record(out), "status"), Each("done"));
  EXPECT_THAT(slurp(out / "cells/softcot-count2/cell.log"), Not(HasSubstr("2 ranks")));
  EXPECT_THAT(made.out, HasSubstr("3 of 3 cells done"));
  // Other settings of the evaluation alone leave trainings and thoughts as they are. Here two ranks
  // are one group, whose first starts steps on two ranks.
  const ChildResult other =
      run_softcot(call(grid, out, {"--max-new-tokens", "1", "--ranks", "2"}), on_ranks(2));
  ASSERT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(started(other.err), UnorderedElementsAre("cells/zero_shot_cot: evaluate",
                                                       "cells/softcot-count1: evaluate",
                                                       "cells/softcot-count2: evaluate"));
  EXPECT_THAT(slurp(out / "cells/softcot-count2/cell.log"), HasSubstr("2 ranks: dp 2"));
}

TEST_F(Sweep, DryRunTouchesNothing) {
  const auto out = project_.path("dry");
  const auto grid = file("thoughts.count = 0, 1, 2\nassistant.layers = 1, 2\n");
  const ChildResult plan = run_softcot(call(grid, out, {"--dry-run"}));
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, AllOf(HasSubstr("assistant.layers  1, 2"),
                              HasSubstr("count0-layers2  to do  cells/zero_shot_cot"),
                              HasSubstr("count2-layers1  to do  cells/softcot-count2-layers1"),
                              HasSubstr("6 cells need"), HasSubstr("of disk")));
  EXPECT_THAT(lines_with(plan.out, "thought caches")[0], HasSubstr("   4      4 "));
  EXPECT_THAT(lines_with(plan.out, "evaluations")[0], HasSubstr("   5      5 "));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Sweep, BadInputIsRefusedBeforeAnythingStarts) {
  const auto out = project_.path("bad");
  const auto refused = [&](const std::string& axes, const std::vector<std::string>& more = {}) {
    const ChildResult result = run_softcot(call(file(axes), out, more));
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_FALSE(std::filesystem::exists(out));
    return result.err;
  };
  EXPECT_THAT(refused("method = sofcot, softcot\nassistant.layers = 1, 40\n"
                      "thoughts.count = 1, many, 65000\n"),
              AllOf(HasSubstr("did you mean softcot?"), HasSubstr("illegal value"),
                    HasSubstr("more layers than the assistant has: cell softcot-layers40-count1: "
                              "assistant.layers (expected at most 2, got 40)"),
                    HasSubstr("more thoughts than the model has positions")));
  EXPECT_THAT(refused("thoughts.cont = 1\nthoughts.count = 2, 2\nevaluate.methods = lora\n"),
              AllOf(HasSubstr("did you mean thoughts.count?"), HasSubstr("value twice"),
                    HasSubstr("the sweep decides this option")));
  EXPECT_THAT(refused("thoughts.count = 2, 02\ntrain.learning-rate = 1e-3, 2e-3, 0.001\n"),
              AllOf(HasSubstr("2 and 02 of thoughts.count"),
                    HasSubstr("1e-3 and 0.001 of train.learning-rate")));
  EXPECT_THAT(refused("thoughts.count = 20\n", {"--data.max-length", "20"}),
              HasSubstr("more thoughts than a row may have tokens"));
  EXPECT_THAT(refused(""), HasSubstr("sweep without axes"));
  EXPECT_THAT(
      refused("train.seed = 1\n", {"--train.seed", "4", "--assistant", project_.path("nowhere")}),
      AllOf(HasSubstr("an axis decides this option"), HasSubstr("nowhere")));
  EXPECT_THAT(refused("train.seed = 1\n", {"--shard", "3/2"}), HasSubstr("I/K"));
  expect_refused({"sweep", "--out", out}, 2, {"no sweep file"});

  const auto grid = file("train.seed = 1\n");
  expect_refused(call(grid, "/proc/sweep"), 2, {"/proc/sweep"});
  std::filesystem::create_directories(out);
  spill(out / "sweep.json", R"({"schema": "softcot-sweep/1", "version": "0.0.9"})");
  expect_refused(call(grid, out), 2, {"sweep folder of another version", "0.0.9"});
}

}  // namespace
}  // namespace softcot::test
