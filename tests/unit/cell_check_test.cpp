// What compare and sweep refuse before anything runs, and that they refuse none of the cells of the
// shipped configs.
#include "launch/sweep/cell_check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "launch/sweep/cell_settings.h"
#include "launch/sweep/suite.h"
#include "launch/sweep/sweep.h"
#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// A model with as many layers and positions as any that a shipped config names.
void make_large_model(const std::filesystem::path& folder) {
  make_tiny_model(folder, "llama");
  auto config = nlohmann::json::parse(slurp(folder / "config.json"));
  config["num_hidden_layers"] = 32;
  config["max_position_embeddings"] = 131072;
  spill(folder / "config.json", config.dump());
}

std::vector<std::string> lines_of(const std::vector<CellProblem>& problems) {
  std::vector<std::string> lines;
  for (const CellProblem& each : problems) lines.push_back(format_error(each.code, each.problem));
  return lines;
}

/// The shipped configs, seen from the top folder as users call them.
class ShippedConfigs : public ::testing::Test {
 protected:
  ShippedConfigs() : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(SOFTCOT_SOURCE);
    make_large_model(model());
    // Rows of these two files have between one and five steps.
    std::string asdiv;
    std::string aqua;
    for (int i = 0; i < 2000; ++i) {
      std::vector<std::string> rationale;
      std::string steps;
      for (int s = 0; s <= i % 5; ++s) {
        rationale.push_back(fmt::format("{} + {} = {}", i, s, i + s));
        steps += rationale.back() + "\n";
      }
      asdiv += nlohmann::json{{"question", fmt::format("What is {} + {}?", i, i % 5)},
                              {"rationale", rationale},
                              {"answer", std::to_string(i + i % 5)},
                              {"type", "number"}}
                   .dump() +
               "\n";
      aqua += nlohmann::json{{"question", fmt::format("What is {} + {}?", i, i % 5)},
                             {"options", {fmt::format("A){}", i + i % 5), "B)0"}},
                             {"rationale", steps + "Answer: A"},
                             {"correct", "A"}}
                  .dump() +
              "\n";
    }
    spill(folder_.path() / "asdiv.jsonl", asdiv);
    spill(folder_.path() / "aqua.json", aqua);
  }
  ~ShippedConfigs() override { std::filesystem::current_path(before_); }

  std::filesystem::path model() const { return folder_.path() / "model"; }

  /// The cell's own settings, but for models and data that are not in the repository. The
  /// stand-in's tokenizer makes one token of each byte, which is no measure of the longest row.
  Settings with_stand_ins(Settings settings) const {
    for (const char* name : {"model.path", "assistant.path"}) settings[name] = model();
    const std::map<std::string, const char*> missing = {
        {"data/asdiv-aug/train.jsonl", "asdiv.jsonl"},
        {"data/asdiv-aug/test.jsonl", "asdiv.jsonl"},
        {"data/aqua/train.json", "aqua.json"}};
    for (const char* name : {"data.file", "data.eval-file"}) {
      const auto own = settings.find(name);
      if (own == settings.end()) continue;
      const auto found = missing.find(own->second);
      if (found != missing.end()) own->second = folder_.path() / found->second;
    }
    EXPECT_FALSE(settings.contains("data.max-length"));
    settings["data.max-length"] = "131072";
    return settings;
  }

  static void check(CellChecker& checker, const std::string& cell, const std::string& method,
                    bool trains, const Settings& settings) {
    const CheckedSettings checked = check_cell_settings(settings, trains);
    for (const Problem& problem : checked.problems) {
      ADD_FAILURE() << cell << ": " << describe(problem);
    }
    if (checked.run) checker.check(cell, method_of(method), trains, *checked.run);
  }

  static std::vector<std::filesystem::path> files(const char* folder) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".cfg") found.push_back(entry.path());
    }
    return found;
  }

  TemporaryFolder folder_;
  std::filesystem::path before_;
};

TEST_F(ShippedConfigs, EveryCellOfEverySuiteCanRun) {
  std::size_t cells = 0;
  std::size_t coconut = 0;
  for (const auto& file : files("configs/suites")) {
    SCOPED_TRACE(file);
    CellChecker checker(/*ranks=*/1);
    for (const SuiteCell& cell : Suite::read(file).cells) {
      check(checker, cell.folder(), cell.entry.method, cell.trained(),
            with_stand_ins(cell.settings));
      for (const auto& [task, settings] : cell.transfers) {
        check(checker, cell.folder() + " on " + task, cell.entry.method, false,
              with_stand_ins(settings));
      }
      ++cells;
      coconut += cell.entry.method == "coconut" ? 1 : 0;
    }
    EXPECT_THAT(lines_of(checker.problems()), IsEmpty());
  }
  EXPECT_GT(cells, 100U);
  EXPECT_EQ(coconut, 4U + 4 + 2 + 1);
}

TEST_F(ShippedConfigs, EveryCellOfEverySweepCanRun) {
  for (const auto& file : files("configs/sweep")) {
    SCOPED_TRACE(file);
    OptionSet options("sweep", "");
    const auto variables = add_cell_options(options);
    add_sweep_sections(options);
    options.read({"--config", file, "--model", model(), "--assistant", model(), "--data.max-length",
                  "131072"},
                 {});
    try {
      EXPECT_GT(read_sweep(options).cells.size(), 20U);
    } catch (const OptionErrors& errors) {
      for (const Problem& problem : errors.problems()) ADD_FAILURE() << describe(problem);
    }
  }
}

TEST_F(ShippedConfigs, EveryOtherConfigCanRun) {
  for (const auto& file : files("configs")) {
    SCOPED_TRACE(file);
    OptionSet options("train", "");
    const auto variables = add_cell_options(options);
    options.read({"--config", file}, {});
    const Settings settings = given_settings(options);
    const std::string method =
        settings.contains("train.method") ? settings.at("train.method") : "softcot";
    CellChecker checker(/*ranks=*/1);
    check(checker, file.stem(), method, true, with_stand_ins(settings));
    EXPECT_THAT(lines_of(checker.problems()), IsEmpty());
  }
}

/// One thing wrong at a time, through the commands.
class RefusedCells : public ::testing::Test {
 protected:
  std::filesystem::path suite(const std::string& method, const std::string& more = "") const {
    std::string text = "[suite]\ntitle = Tiny\ntasks = gsm8k\nmethods = zero_shot_cot, " + method;
    text += "\n[model]\npath = " + project_.path("backbone").string() + "\n";
    text += "[assistant]\npath = " + project_.path("assistant").string() + "\n";
    text += "[prompts]\nfile = " + project_.path("prompts.txt").string() + "\n";
    text += "[thoughts]\ncount = 3\n[train]\nsteps = 6\nbatch = 4\n";
    text += "[task.gsm8k]\ndata.file = " + project_.path("train.jsonl").string() +
            "\ndata.eval-file = " + project_.path("eval.jsonl").string() + "\n";
    text += "[method." + method + "]\n";
    spill(project_.path("suite.cfg"), text + more);
    return project_.path("suite.cfg");
  }
  std::vector<std::string> call(const std::filesystem::path& suite,
                                std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"compare", "--suite", suite, "--out", project_.path("out").string()});
    return more;
  }
  /// A cell that cannot run, for this reason, by the dry run and by the command itself.
  void expect_cannot_run(const std::string& method, const std::string& settings, int status,
                         const std::string& reason, std::vector<std::string> options = {}) const {
    SCOPED_TRACE(reason);
    const auto file = suite(method, settings);
    const ChildResult real = run_softcot(call(file, options));
    EXPECT_EQ(real.status, status) << real.err;
    EXPECT_THAT(real.err, HasSubstr(reason));
    options.emplace_back("--dry-run");
    const ChildResult dry = run_softcot(call(file, options));
    EXPECT_EQ(dry.status, status) << dry.err;
    EXPECT_THAT(dry.err, AllOf(HasSubstr(reason), HasSubstr("cell ")));
    EXPECT_THAT(dry.out, HasSubstr("cannot run\n    error["));
    EXPECT_FALSE(std::filesystem::exists(project_.path("out")));
  }

  TinyProject project_;
};

TEST_F(RefusedCells, ACellThatCanRunIsToDo) {
  for (const char* method : {"softcot", "lora", "prompt_tuning", "zero_shot_assist_cot", "full"}) {
    const ChildResult dry = run_softcot(call(suite(method), {"--dry-run"}));
    EXPECT_EQ(dry.status, 0) << dry.err;
    EXPECT_THAT(dry.out, AllOf(HasSubstr("to do"), Not(HasSubstr("cannot run"))));
  }
}

TEST_F(RefusedCells, TrainingsThatDoNotFit) {
  const std::string stages = "coconut.max-stage = 1\ncoconut.steps-per-stage = 3\n";
  expect_cannot_run("coconut", stages, 2, "training ends before Coconut's last stage");
  expect_cannot_run("coconut_full", stages, 2, "training ends before Coconut's last stage");
  expect_cannot_run("coconut", "coconut.max-stage = 7\ncoconut.steps-per-stage = 1\n", 2,
                    "a stage of Coconut beyond the rationales' steps");
  expect_cannot_run("lora", "train.warmup-steps = 6\n", 2, "warm-up as long as the training");
  expect_cannot_run("full", "model.dtype = bfloat16\n", 2,
                    "full fine-tuning needs float32 weights");
  expect_cannot_run("softcot", "parallel.tp = 2\n", 2, "number of ranks is not dp × tp");
  expect_cannot_run("softcot", "parallel.tp = 3\n", 2, "tensor-parallel size does not divide",
                    {"--ranks", "3"});
  expect_cannot_run("softcot", "assistant.layers = 9\n", 2, "more layers than the assistant has");
  expect_cannot_run("prompt_tuning", "thoughts.eval-count = 4\n", 2,
                    "more thoughts than vectors are trained");
}

TEST_F(RefusedCells, ModelsAndDataThatAreNotThere) {
  const std::string lost = project_.path("lost").string();
  expect_cannot_run("lora", "model.path = " + lost + "\n", 3, lost);
  expect_cannot_run("softcot", "assistant.path = " + lost + "\n", 3, lost);
  expect_cannot_run("lora", "data.file = " + lost + "\n", 3, lost);
  expect_cannot_run("lora", "data.eval-file = " + lost + "\n", 3, lost);
  expect_cannot_run("lora", "prompts.file = " + lost + "\n", 2, lost);
  spill(lost, "{\"question\": 3}\n");
  expect_cannot_run("lora", "data.file = " + lost + "\n", 3, "lost");
  expect_cannot_run("lora", "data.max-length = 5\n", 3, "data.max-length");
  expect_cannot_run("lora", "data.max-length = 5\ndata.on-long-row = skip\n", 3,
                    "no row is short enough");
  expect_cannot_run("lora", "data.offset = 500\n", 3, "no record in the wanted range");
  make_tiny_model(project_.path("bare"), "llama");
  std::filesystem::remove(project_.path("bare") / "model.safetensors");
  expect_cannot_run("lora", "model.path = " + project_.path("bare").string() + "\n", 3,
                    "model folder without weights");
  std::filesystem::remove(project_.path("bare") / "tokenizer.json");
  expect_cannot_run("lora", "model.path = " + project_.path("bare").string() + "\n", 3,
                    "tokenizer.json");
}

TEST_F(RefusedCells, OfASweepToo) {
  const std::string common = "[model]\npath = " + project_.path("backbone").string() +
                             "\n[prompts]\nfile = " + project_.path("prompts.txt").string() +
                             "\n[data]\nfile = " + project_.path("train.jsonl").string() +
                             "\neval-file = " + project_.path("eval.jsonl").string() +
                             "\n[coconut]\nmax-stage = 1\n";
  const auto status = [&](const std::string& axes, const std::vector<std::string>& more) {
    spill(project_.path("sweep.cfg"), "[axes]\n" + axes + common);
    std::vector<std::string> words = {"sweep", "--config",           project_.path("sweep.cfg"),
                                      "--out", project_.path("out"), "--dry-run"};
    words.insert(words.end(), more.begin(), more.end());
    const ChildResult result = run_softcot(words);
    EXPECT_FALSE(std::filesystem::exists(project_.path("out")));
    return std::to_string(result.status) + " " + result.err;
  };
  EXPECT_THAT(status("method = lora, coconut\n", {}), StartsWith("0"));
  EXPECT_THAT(status("method = lora, coconut\n", {"--train.epochs", "5"}),
              AllOf(StartsWith("2"), HasSubstr("cell coconut"),
                    HasSubstr("training ends before Coconut's last stage")));
  EXPECT_THAT(status("method = lora, coconut\n", {"--data.file", project_.path("lost")}),
              AllOf(StartsWith("3"), HasSubstr("lost")));
  EXPECT_THAT(status("train.warmup-steps = 1, 90\n", {"--train.steps", "8"}),
              AllOf(StartsWith("2"), HasSubstr("warmup-steps90")));
}

}  // namespace
}  // namespace softcot::test
