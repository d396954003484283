// Which options decide a result: every option of the commands, in the plan of a sweep, the hash of
// a suite's cell and the settings of a report.
#include "launch/run/deciding_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "launch/options/run_options.h"
#include "launch/study/study_settings.h"
#include "launch/sweep/suite.h"
#include "launch/sweep/sweep_plan.h"

namespace softcot {
namespace {

using ::testing::IsEmpty;

/// What docs/sweeps.md says that changes no result, beside the sections run, parallel and stop.
const std::set<std::string> kNothing = {
    "thoughts.cache",      "train.accumulation",  "train.pack",        "train.target-logits",
    "train.frozen-prefix", "train.shared-prefix", "train.eval-every",  "train.checkpoint-every",
    "train.keep",          "train.keep-every",    "train.tensorboard", "evaluate.batch"};

/// What the place of a cell in its sweep or suite says.
const std::set<std::string> kOfThePlace = {"train.method", "evaluate.methods", "evaluate.trained"};

bool decides_nothing(const std::string& option) {
  for (const char* section : {"run.", "parallel.", "stop."}) {
    if (option.starts_with(section)) return true;
  }
  return kNothing.contains(option);
}

/// Settings under which every option decides something for some method.
Settings all_in_use() {
  RunOptions run;
  OptionSet options("evaluate", "");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut",
                   "evaluate", "run", "prompts", "stop"});
  options.after_read([] {});
  options.read({"--model.path=backbone", "--assistant.path=assistant", "--data.file=train.jsonl",
                "--data.eval-file=eval.jsonl", "--run.folder=run", "--evaluate.temperature=0.5",
                "--evaluate.repetition-penalty=1.5", "--thoughts.written-temperature=0.5",
                "--prompts.file=prompts.txt"},
               {});
  return options.values();
}

/// The same with another value of each option in turn.
std::map<std::string, Settings> each_changed() {
  constexpr std::array<const char*, 22> kOthers = {
      "0",      "1",         "2",      "3",     "0.25",      "on",         "off",  "bfloat16",
      "cosine", "skip",      "mpi",    "cpu",   "uncounted", "no_thought", "usr2", "gsm8k,aqua",
      "lora",   "reference", "q_proj", "epoch", "all",       "other"};
  std::map<std::string, Settings> changed;
  RunOptions run;
  OptionSet options("evaluate", "");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut",
                   "evaluate", "run", "prompts", "stop"});
  const Settings plain = all_in_use();
  for (const auto& [name, value] : plain) {
    const Binding& binding = options.find(name)->binding;
    for (const char* other : kOthers) {
      if (!binding.assign(other) || binding.text() == value) continue;
      changed[name] = plain;
      changed[name][name] = binding.text();
      break;
    }
    EXPECT_TRUE(changed.contains(name)) << name << " has no other value here";
  }
  return changed;
}

std::set<std::string> hashes_of_sweep(const Settings& settings) {
  Sweep sweep;
  sweep.axes = {{"train.method", method_names(false), method_names(false)}};
  for (const std::string& method : method_names(false)) {
    SweepCell cell{method, {sweep.cells.size()}, method, "gsm8k", settings};
    cell.settings["train.method"] = method;
    sweep.cells.push_back(std::move(cell));
  }
  std::set<std::string> hashes;
  for (const Work& work : plan_sweep(sweep, "out").works) hashes.insert(work.hash);
  return hashes;
}

std::set<std::string> hashes_of_suite(const Settings& settings) {
  std::set<std::string> hashes;
  for (const std::string& method : method_names(false)) {
    SuiteCell cell{{method, "", ""}, "gsm8k", 41, settings, {}};
    cell.settings["evaluate.methods"] = method;
    hashes.insert(cell.hash());
  }
  return hashes;
}

std::set<std::string> lines_of_report(const Settings& settings) {
  std::set<std::string> lines;
  for (const std::string& method : method_names(false)) {
    const Settings deciding = deciding_settings(method, settings, settings);
    lines.insert(method + settings_hash(deciding) + seeds_of(method, settings, settings));
  }
  return lines;
}

TEST(DecidingOptions, EachOptionDecidesInSweepSuiteAndReportOrInNone) {
  const Settings plain = all_in_use();
  const std::set<std::string> of_report = {"data.task", "evaluate.also-greedy", "evaluate.compat",
                                           "evaluate.every-stage"};  // Lines of their own.
  int nothing = 0;
  for (const auto& [option, settings] : each_changed()) {
    if (kOfThePlace.contains(option)) continue;
    const bool decides = !decides_nothing(option);
    nothing += decides ? 0 : 1;
    EXPECT_EQ(changes_results(option), decides) << option;
    EXPECT_EQ(hashes_of_sweep(settings) != hashes_of_sweep(plain), decides) << option;
    EXPECT_EQ(hashes_of_suite(settings) != hashes_of_suite(plain), decides) << option;
    if (of_report.contains(option)) continue;
    EXPECT_EQ(lines_of_report(settings) != lines_of_report(plain), decides) << option;
  }
  EXPECT_GE(nothing, 20);
}

TEST(DecidingOptions, OfOneMethodOnlyItsOwnDecide) {
  const Settings plain = all_in_use();
  const auto cell = [&](const char* method, const char* option, const char* value) {
    SuiteCell made{{method, "", ""}, "gsm8k", 41, plain, {}};
    made.settings["evaluate.methods"] = method;
    made.settings[option] = value;
    return made.hash();
  };
  EXPECT_EQ(cell("softcot", "lora.rank", "2"), cell("softcot", "lora.rank", "3"));
  EXPECT_NE(cell("lora", "lora.rank", "2"), cell("lora", "lora.rank", "3"));
  EXPECT_EQ(cell("lora", "assistant.layers", "2"), cell("lora", "assistant.layers", "3"));
  EXPECT_EQ(cell("zero_shot_cot", "train.learning-rate", "0.1"),
            cell("zero_shot_cot", "train.learning-rate", "0.2"));
  EXPECT_EQ(cell("zero_shot_cot", "data.file", "a"), cell("zero_shot_cot", "data.file", "b"));
  EXPECT_NE(cell("softcot", "data.file", "a"), cell("softcot", "data.file", "b"));
}

TEST(DecidingOptions, WhatIsDrawnDecidesOnlyWhereAnythingIs) {
  Settings greedy = all_in_use();
  greedy["evaluate.temperature"] = "0";
  greedy["thoughts.written-temperature"] = "0";
  greedy["evaluate.repetition-penalty"] = "1";
  for (const auto& [option, other] :
       std::map<std::string, std::string>{{"evaluate.seed", "7"},
                                          {"evaluate.top-k", "5"},
                                          {"evaluate.top-p", "0.5"},
                                          {"evaluate.min-p", "0.5"},
                                          {"evaluate.repetition-scope", "all"}}) {
    Settings changed = greedy;
    changed[option] = other;
    EXPECT_EQ(hashes_of_sweep(changed), hashes_of_sweep(greedy)) << option;
    EXPECT_EQ(hashes_of_suite(changed), hashes_of_suite(greedy)) << option;
  }
}

TEST(DecidingOptions, ATrainingIsTheSameWhateverEvaluatesIt) {
  const Settings plain = all_in_use();
  for (const auto& [option, settings] : each_changed()) {
    for (const std::string& name : method_names(true)) {
      const Method& method = method_of(name);
      const bool same = deciding_training(settings, method) == deciding_training(plain, method);
      const bool of_evaluation =
          option.starts_with("evaluate.") || option.starts_with("data.eval-") ||
          option == "thoughts.eval-count" || option == "thoughts.written-temperature";
      if (of_evaluation || decides_nothing(option)) {
        EXPECT_TRUE(same) << name << " " << option;
      }
      if (option == "train.learning-rate" || option == "model.path" || option == "data.limit") {
        EXPECT_FALSE(same) << name << " " << option;
      }
    }
    EXPECT_THAT(deciding_training(settings, method_of("zero_shot_cot")), IsEmpty());
  }
}

}  // namespace
}  // namespace softcot
