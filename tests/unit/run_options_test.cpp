#include "launch/options/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

#include "launch/options/option_help.h"
#include "launch/options/option_sources.h"
#include "support/files.h"

namespace softcot {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kAll = {"model", "assistant", "parallel", "data",   "thoughts",
                                       "train", "evaluate",  "run",      "prompts"};

TEST(RunOptions, EveryConfigFileOfTheRepositoryIsLegal) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SOFTCOT_CONFIGS)) {
    if (entry.path().extension() != ".cfg") continue;
    RunOptions run;
    OptionSet options("train", "Train.");
    add_run_options(options, run, kAll);
    EXPECT_NO_THROW(options.read({"--config", entry.path().string()}, {})) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 2);
}

/// The sampling that a file's section [evaluate] asks for; a suite has more sections of its own.
SamplingOptions sampling_of(const std::filesystem::path& file) {
  RunOptions run;
  OptionSet options("evaluate", "Evaluate.");
  add_run_options(options, run, kAll);
  std::vector<std::string> arguments = {"--model=/m", "--data.file=/d", "--run.folder=/r"};
  for (const Assignment& each : read_config_file(file)) {
    if (each.name.starts_with("evaluate."))
      arguments.push_back("--" + each.name + "=" + each.value);
  }
  options.read(arguments, {});
  return run.evaluate.generation.sampling;
}

// What the models' generation_config.json and the library's defaults make of the paper's code.
TEST(RunOptions, ThePapersConfigsSampleAsItsCodeDoes) {
  const std::filesystem::path configs = SOFTCOT_CONFIGS;
  int files = 0;
  for (const auto& folder : {configs, configs / "suites"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      const bool paper = name.starts_with("paper-") || name.starts_with("gsm8k-");
      if (entry.path().extension() != ".cfg" || !paper) continue;
      const bool qwen = test::slurp(entry.path()).find("Qwen2.5-7B") != std::string::npos;
      const SamplingOptions sampling = sampling_of(entry.path());
      EXPECT_EQ(sampling.temperature, 1) << name;
      EXPECT_EQ(sampling.top_p, 1) << name;
      EXPECT_EQ(sampling.top_k, qwen ? 20 : 50) << name;
      EXPECT_EQ(sampling.repetition_penalty, qwen ? 1.05 : 1.0) << name;
      EXPECT_EQ(sampling.repetition_scope, RepetitionScope::kWritten) << name;
      ++files;
    }
  }
  EXPECT_EQ(files, 8);
}

TEST(RunOptions, ReachTheStructsOfTheComponents) {
  RunOptions run;
  OptionSet options("train", "Train.");
  add_run_options(options, run, kAll);
  options.read({"--model=/m",
                "--assistant=/a",
                "--dtype=bfloat16",
                "--assistant.layers=3",
                "--batch=8",
                "--thoughts=16",
                "--thoughts.prompt=uncounted",
                "--data.file=/d",
                "--data.on-long-row=skip",
                "--train.schedule=cosine",
                "--train.pack=off",
                "--train.keep=2",
                "--evaluate.top-p=0.9",
                "--evaluate.top-k=50",
                "--evaluate.min-p=0.05",
                "--evaluate.repetition-penalty=1.05",
                "--evaluate.repetition-scope=all",
                "--max-new-tokens=7",
                "--run.folder=/r",
                "--resume",
                "--evaluate.methods=softcot"},
               {});
  EXPECT_EQ(run.model.path, "/m");
  EXPECT_EQ(run.model.load.dtype, at::kBFloat16);
  EXPECT_EQ(run.assistant.load.dtype, at::kFloat);
  EXPECT_EQ(run.assistant.load.layers, 3);
  EXPECT_EQ(run.train.batch, 8);
  EXPECT_EQ(run.thoughts.count, 16);
  EXPECT_EQ(run.thoughts.count_in_evaluation(), 16);
  EXPECT_EQ(run.thoughts.prompt, ThoughtPrompt::kUncounted);
  EXPECT_EQ(run.data.on_long_row, OnLongRow::kSkip);
  EXPECT_EQ(run.train.schedule.kind, Schedule::kCosine);
  EXPECT_FALSE(run.train.work.pack);
  EXPECT_EQ(run.train.retention.keep_last, 2U);
  const SamplingOptions& sampling = run.evaluate.generation.sampling;
  EXPECT_DOUBLE_EQ(sampling.top_p, 0.9);
  EXPECT_EQ(sampling.top_k, 50);
  EXPECT_DOUBLE_EQ(sampling.min_p, 0.05);
  EXPECT_DOUBLE_EQ(sampling.repetition_penalty, 1.05);
  EXPECT_EQ(sampling.repetition_scope, RepetitionScope::kAll);
  EXPECT_EQ(run.evaluate.generation.max_new_tokens, 7);
  EXPECT_TRUE(run.resume);
  EXPECT_THAT(run.evaluate.methods, ::testing::ElementsAre("softcot"));
}

TEST(RunOptions, AreRefusedOneByOneWhereACommandDoesNotUseThem) {
  for (const char* argument : {"--run.resume", "--resume", "--batch=8", "--train.steps=3"}) {
    RunOptions run;
    OptionSet options("evaluate", "Compare.");
    add_run_options(options, run, {"model", "data", "train.method", "run.folder"});
    try {
      options.read({"--model=/m", "--data.file=/d", "--run.folder=/r", argument}, {});
      ADD_FAILURE() << argument;
    } catch (const OptionErrors& errors) {
      EXPECT_EQ(errors.problems().size(), 1U) << argument;
      EXPECT_THAT(errors.what(), HasSubstr("softcot evaluate does not use this option: " +
                                           std::string(argument).substr(0, 6)));
    }
    EXPECT_THAT(help_page(options), AllOf(HasSubstr("--train.method"), HasSubstr("--run.folder"),
                                          Not(HasSubstr("--run.resume"))));
    EXPECT_FALSE(options.values().contains("train.steps"));
  }
}

TEST(RunOptions, ThatAreNamedAndDoNotExistAreADefect) {
  RunOptions run;
  OptionSet options("evaluate", "Compare.");
  EXPECT_THROW(add_run_options(options, run, {"model", "train.metod"}), std::logic_error);
}

TEST(RunOptions, RefuseWhatWouldBeNoRun) {
  for (const char* argument : {"--thoughts.count=0",
                               "--parallel.tp=0",
                               "--train.batch=0",
                               "--train.batch=100000000",
                               "--train.learning-rate=nan",
                               "--train.learning-rate=0",
                               "--evaluate.top-p=0",
                               "--evaluate.top-k=-1",
                               "--evaluate.top-k=1.5",
                               "--evaluate.min-p=-0.1",
                               "--evaluate.min-p=1.1",
                               "--evaluate.min-p=nan",
                               "--evaluate.repetition-penalty=0",
                               "--evaluate.repetition-penalty=-1",
                               "--evaluate.repetition-penalty=inf",
                               "--evaluate.repetition-scope=prompt",
                               "--train.epochs=0",
                               "--evaluate.temperature=-1",
                               "--evaluate.compat=refrence",
                               "--train.compat=lost_sign"}) {
    RunOptions run;
    OptionSet options("train", "Train.");
    add_run_options(options, run, kAll);
    try {
      options.read({"--model=/m", "--data.file=/d", "--run.folder=/r", argument}, {});
      ADD_FAILURE() << argument;
    } catch (const OptionErrors& errors) {
      EXPECT_EQ(errors.problems().size(), 1U) << argument;
      EXPECT_THAT(errors.what(), HasSubstr("illegal value")) << argument;
    }
  }
}

TEST(RunOptions, AnUnknownMethodNamesItsNearest) {
  for (const char* argument :
       {"--train.method=sofcot", "--evaluate.methods=softcot,sofcot",
        "--evaluate.methods=softcot,sofcot,lora", "--evaluate.also-greedy=sofcot"}) {
    RunOptions run;
    OptionSet options("evaluate", "Evaluate.");
    add_run_options(options, run, kAll);
    try {
      options.read({"--model=/m", "--data.file=/d", "--run.folder=/r", argument}, {});
      ADD_FAILURE() << argument;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << argument;
      EXPECT_EQ(error.problem().where, "sofcot") << argument;
      EXPECT_EQ(error.problem().fix, "did you mean softcot?") << argument;
    }
  }
}

TEST(RunOptions, CompatReachesTheRowsThatAreTrained) {
  struct Case {
    const char* given;
    const char* task;
    const char* expected;
  };
  for (const auto& [given, task, expected] :
       {Case{"strict", "gsm8k", "strict"}, Case{"reference", "gsm8k", "reference"},
        Case{"reference", "strategyqa", "turn_opening_trained"},
        Case{"calculator_kept,last_token_cut", "strategyqa", "last_token_cut+calculator_kept"}}) {
    RunOptions run;
    OptionSet options("train", "Train.");
    add_run_options(options, run, kAll);
    options.read({"--model=/m", "--data.file=/d", "--run.folder=/r", std::string("--task=") + task,
                  std::string("--train.compat=") + given},
                 {});
    EXPECT_EQ(quirks_name(run.data.quirks), expected);
  }
}

TEST(RunOptions, AMethodBringsItsDefaults) {
  const auto effective = [](const std::vector<std::string>& arguments) {
    RunOptions run;
    OptionSet options("train", "Train.");
    add_run_options(options, run, kAll);
    std::vector<std::string> all = {"--model=/m", "--data.file=/d", "--run.folder=/r"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    options.read(all, {{"SOFTCOT_TRAIN_CLIP", "0.5"}});
    EXPECT_DOUBLE_EQ(run.train.optimizer.clip, 0.5);
    return options.effective_config();
  };
  for (const std::string method : {"coconut", "coconut_full"}) {
    const std::string of = "  # default of " + method + "\n";
    EXPECT_THAT(effective({"--method=" + method, "--train.weight-decay=0"}),
                AllOf(HasSubstr("epochs = 25" + of), HasSubstr("learning-rate = 0.0001" + of),
                      HasSubstr("schedule = constant" + of),
                      HasSubstr("weight-decay = 0  # command line\n"),
                      HasSubstr("clip = 0.5  # SOFTCOT_TRAIN_CLIP\n")));
  }
  EXPECT_THAT(effective({"--method=lora"}),
              AllOf(HasSubstr("learning-rate = 2e-05  # default\n"),
                    HasSubstr("schedule = linear  # default\n"), Not(HasSubstr("default of"))));
  // Without the environment's: no clipping.
  RunOptions run;
  OptionSet options("train", "Train.");
  add_run_options(options, run, kAll);
  options.read({"--model=/m", "--data.file=/d", "--run.folder=/r", "--method=coconut"}, {});
  EXPECT_EQ(run.train.optimizer.clip, 0);
  EXPECT_FALSE(options.given("train.clip"));
  EXPECT_THAT(help_page(options), HasSubstr("default 2e-05, 1e-4 for coconut"));
}

TEST(RunOptions, ATaskBringsItsPrompts) {
  const auto prompts_of = [](const std::vector<std::string>& arguments) {
    RunOptions run;
    OptionSet options("train", "Train.");
    add_run_options(options, run, kAll);
    std::vector<std::string> all = {"--model=/m", "--data.file=/d", "--run.folder=/r"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    options.read(all, {});
    EXPECT_EQ(options.values().at("prompts.file"), run.prompts);  // What the run saves.
    return run.prompts;
  };
  EXPECT_EQ(prompts_of({}), "configs/prompts/math.txt");
  EXPECT_EQ(prompts_of({"--task=strategyqa"}), "configs/prompts/yes_no.txt");
  EXPECT_EQ(prompts_of({"--task=aqua", "--prompts.file=/p"}), "/p");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--task=strategy"}, {"--data.train-share=0.8", "--data.eval-file=/e"}}) {
    EXPECT_THROW(prompts_of(arguments), Error);
  }
}

TEST(RunOptions, HelpShowsTheSectionsInUseOnly) {
  RunOptions run;
  OptionSet options("precompute", "Precompute.");
  add_run_options(options, run, {"assistant", "thoughts"});
  const std::string help = help_page(options);
  EXPECT_THAT(help, HasSubstr("--thoughts.count, --thoughts INTEGER"));
  EXPECT_THAT(help, Not(HasSubstr("train.batch")));
  EXPECT_NO_THROW(options.read({}, {}));  // Nothing of another section is required.
}

}  // namespace
}  // namespace softcot
