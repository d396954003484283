// Suite files: which cells they make, what is refused, and how their tables look.
#include "launch/sweep/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "evaluation/sample_log.h"
#include "launch/run/method.h"
#include "launch/run/run_folder.h"
#include "launch/sweep/suite_table.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kShared = R"([model]
path = backbone
[thoughts]
count = 8
eval-count = 2
[train]
steps = 5
batch = 2
[task.gsm8k]
data.file = train.jsonl
data.eval-file = test.jsonl
[task.aqua]
data.file = aqua.json
data.eval-file = aqua-test.json
evaluate.max-new-tokens = 20
)";

class SuiteFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& head, const std::string& more = "") const {
    const auto path = folder_.path() / "suite.cfg";
    std::ofstream(path) << "[suite]\n" << head << kShared << more;
    return path;
  }
  Suite read(const std::string& head, const std::string& more = "",
             const std::map<std::string, std::string>& overrides = {}) const {
    return Suite::read(write(head, more), overrides);
  }
  /// What is wrong, one line each.
  std::vector<std::string> problems(
      const std::string& head, const std::string& more = "",
      const std::map<std::string, std::string>& overrides = {}) const {
    try {
      read(head, more, overrides);
    } catch (const OptionErrors& errors) {
      std::vector<std::string> lines;
      for (const Problem& problem : errors.problems()) {
        lines.push_back(format_error(errors.code(), problem));
      }
      return lines;
    }
    ADD_FAILURE() << "not refused";
    return {};
  }

  test::TemporaryFolder folder_;
};

std::vector<std::string> folders(const Suite& suite) {
  std::vector<std::string> names;
  for (const SuiteCell& cell : suite.cells) names.push_back(cell.folder());
  return names;
}

const SuiteCell& cell_of(const Suite& suite, const std::string& folder) {
  for (const SuiteCell& cell : suite.cells) {
    if (cell.folder() == folder) return cell;
  }
  throw std::out_of_range(folder);
}

std::vector<std::string> tasks(
    const std::map<std::string, std::map<std::string, std::string>>& all) {
  std::vector<std::string> names;
  for (const auto& [task, settings] : all) names.push_back(task);
  return names;
}

constexpr const char* kTwo = "methods = zero_shot_cot, softcot:n4\ntasks = gsm8k\nseeds = 0, 7\n";
constexpr const char* kVariant = "[variant.n4]\ntitle = N = 4\nthoughts.count = 4\n";

/// Vectors that are trained together are tested together.
void expect_all_vectors_tested(const SuiteCell& cell) {
  if (!method_of(cell.entry.method).task_vectors) return;
  const auto number = [&](const char* option) {
    const auto found = cell.settings.find(option);
    return found == cell.settings.end() || found->second == "0" ? "" : found->second;
  };
  const std::string tested = number("thoughts.eval-count");
  EXPECT_TRUE(tested.empty() || tested == number("thoughts.count")) << cell.folder();
}

TEST(Suites, AllOfTheRepositoryAreLegal) {
  std::map<std::string, std::size_t> cells;
  for (const auto& entry : std::filesystem::directory_iterator(SOFTCOT_SUITES)) {
    SCOPED_TRACE(entry.path());
    try {
      const Suite suite = Suite::read(entry.path());
      cells[entry.path().stem()] = suite.cells.size();
      EXPECT_EQ(suite.published.empty(), suite.source.empty());
      for (const SuiteCell& cell : suite.cells) expect_all_vectors_tested(cell);
      for (const std::string& task : suite.all_tasks()) {
        EXPECT_NE(suite.training_for(task), "") << "the overview shows no training for " << task;
      }
    } catch (const OptionErrors& errors) {
      for (const Problem& problem : errors.problems()) {
        ADD_FAILURE() << format_error(errors.code(), problem);
      }
    }
  }
  EXPECT_EQ(cells.size(), 7U);
  EXPECT_EQ(cells["paper-main-llama"], 7U * 4);
  EXPECT_EQ(cells["paper-main-qwen2"], 7U * 4);
  EXPECT_EQ(cells["paper-gsm8k"], 4U + 6 * 2);
  EXPECT_EQ(cells["paper-thoughts"], 1U + 2 * 8);
}

TEST_F(SuiteFile, ACellForEachLineTaskAndSeed) {
  const Suite suite = read(
      "methods = zero_shot_cot, softcot\ntasks = gsm8k, aqua\ntransfer = gsm8k, aqua, svamp\n"
      "seeds = 0, 7\n",
      "[task.svamp]\ndata.eval-file = svamp.json\n");
  EXPECT_THAT(folders(suite),
              ElementsAre("zero_shot_cot-gsm8k", "zero_shot_cot-aqua", "softcot-gsm8k-seed0",
                          "softcot-gsm8k-seed7", "softcot-aqua-seed0", "softcot-aqua-seed7"));
  EXPECT_THAT(suite.all_tasks(), ElementsAre("gsm8k", "aqua", "svamp"));
  // What trains nothing answers each task once.
  EXPECT_THAT(tasks(cell_of(suite, "zero_shot_cot-gsm8k").transfers), ElementsAre("svamp"));
  EXPECT_THAT(tasks(cell_of(suite, "zero_shot_cot-aqua").transfers), ElementsAre());
  const SuiteCell& trained = cell_of(suite, "softcot-aqua-seed0");
  EXPECT_THAT(tasks(trained.transfers), ElementsAre("gsm8k", "svamp"));
  EXPECT_EQ(trained.settings.at("train.seed"), "0");
  EXPECT_EQ(trained.settings.at("data.file"), "aqua.json");
  const auto& elsewhere = trained.transfers.at("gsm8k");
  EXPECT_EQ(elsewhere.at("data.eval-file"), "test.jsonl");
  EXPECT_EQ(elsewhere.at("train.seed"), "0");
  EXPECT_FALSE(elsewhere.contains("data.file"));
  EXPECT_FALSE(elsewhere.contains("evaluate.max-new-tokens"));
}

TEST_F(SuiteFile, ATaskThatIsCutKeepsItsFileWhenTestedFromAnother) {
  const Suite suite = read("methods = softcot\ntasks = gsm8k, aqua\ntransfer = strategyqa\n",
                           "[task.strategyqa]\ndata.file = s.json\ndata.train-share = 0.8\n");
  EXPECT_EQ(suite.cells.at(0).transfers.at("strategyqa").at("data.file"), "s.json");
}

TEST_F(SuiteFile, TheMostSpecialSettingCounts) {
  const std::string head = "methods = softcot, lora\ntasks = aqua\n";
  const std::string more =
      std::string(kVariant) + "[method.softcot]\ntrain.steps = 9\nthoughts.count = 6\n";
  const auto setting = [&](const Suite& suite, const std::string& folder, const std::string& name) {
    return cell_of(suite, folder).settings.at(name);
  };
  // [task.gsm8k] would be a slip in a suite without that task.
  const std::string with_both = "methods = softcot, softcot:n4, lora\ntasks = aqua, gsm8k\n";
  const Suite suite = read(with_both, more);
  EXPECT_EQ(setting(suite, "lora-aqua-seed41", "train.steps"), "5");
  EXPECT_EQ(setting(suite, "lora-gsm8k-seed41", "thoughts.count"), "8");
  EXPECT_EQ(setting(suite, "softcot-aqua-seed41", "thoughts.count"), "6");
  EXPECT_EQ(setting(suite, "softcot-n4-aqua-seed41", "thoughts.count"), "4");
  EXPECT_EQ(setting(suite, "softcot-n4-aqua-seed41", "train.steps"), "9");
  EXPECT_EQ(setting(suite, "lora-aqua-seed41", "evaluate.max-new-tokens"), "20");
  EXPECT_EQ(cell_of(suite, "softcot-n4-aqua-seed41").entry.title, "SoftCoT, N = 4");
  const Suite over = read(with_both, more, {{"train.steps", "3"}, {"model.path", "other"}});
  EXPECT_EQ(setting(over, "softcot-n4-aqua-seed41", "train.steps"), "3");
  EXPECT_EQ(setting(over, "lora-gsm8k-seed41", "model.path"), "other");
  EXPECT_THAT(problems(head), ElementsAre(HasSubstr("task that the suite does not have")));
}

TEST_F(SuiteFile, AHashStandsForWhatDecidesTheResults) {
  const auto hash = [&](const std::map<std::string, std::string>& overrides) {
    return cell_of(read(std::string(kTwo) + "transfer = aqua\n", kVariant, overrides),
                   "softcot-n4-gsm8k-seed7")
        .hash();
  };
  const std::string plain = hash({});
  EXPECT_EQ(hash({}), plain);
  EXPECT_EQ(hash({{"parallel.tp", "2"}, {"thoughts.cache", "elsewhere"}}), plain);
  EXPECT_NE(hash({{"train.steps", "6"}}), plain);
  EXPECT_NE(hash({{"data.eval-limit", "6"}}), plain);
}

TEST_F(SuiteFile, EverythingWrongIsTold) {
  const std::string rest = "[task.svamp]\ndata.eval-file = s.json\n";
  EXPECT_THAT(
      problems("methods = sofcot, lora, lora, softcot:n9\ntasks = gsm8k, aqua, gsm9k\n"
               "seeds = 1, x\ncolour = red\n",
               "[method.lorra]\ntrain.steps = 1\n[published]\ngsm8k.softcott = 1\n"
               "gsm8k.lora = much\n"),
      AllOf(Contains(HasSubstr("did you mean softcot?")), Contains(HasSubstr("[variant.n9]")),
            Contains(HasSubstr("gsm9k")), Contains(HasSubstr("not a seed: suite.seeds: x")),
            Contains(HasSubstr("unknown key of a suite")),
            Contains(HasSubstr("did you mean [method.lora]?")),
            Contains(HasSubstr("published figure of no cell")),
            Contains(HasSubstr("published figure is no number")),
            Contains(HasSubstr("two cells in one folder: lora-gsm8k-seed1"))));
  for (const char* name : {"../../x", "a/b", "..", ""}) {
    EXPECT_THAT(problems(std::string("methods = softcot:") + name + "\ntasks = gsm8k, aqua\n",
                         std::string("[variant.") + name + "]\ntitle = x\n"),
                Contains(HasSubstr("cannot be a part of a folder's name")))
        << name;
  }
  const std::string both = "methods = softcot\ntasks = gsm8k, aqua\n";
  EXPECT_THAT(problems(both, "[method.softcot]\ntrain.stepps = 3\n[evaluate]\nseeds = 0\n"),
              AllOf(Contains(HasSubstr("did you mean train.steps?")),
                    Contains(AllOf(HasSubstr("cell softcot-gsm8k-seed41: evaluate.seeds"),
                                   HasSubstr("at least 1")))));
  EXPECT_THAT(problems(both, "[evaluate]\nmethods = lora\n[task.aqua]\ndata.limit = 3\n"),
              Contains(AllOf(HasSubstr("the suite decides this option: evaluate.methods"),
                             HasSubstr("[suite] methods"))));
  EXPECT_THAT(problems(both, "[method.softcot]\nrun.folder = here\n"),
              ElementsAre(HasSubstr("compare decides this option: run.folder")));
  EXPECT_THAT(problems(both, "", {{"train.seed", "3"}}),
              ElementsAre(HasSubstr("train.seed, given beside the suite")));
  EXPECT_THAT(problems(both + "transfer = svamp\n", "[task.svamp]\ndata.offset = 1\n"),
              ElementsAre(HasSubstr("no held-out questions")));
  EXPECT_THAT(problems("methods = softcot\ntasks = gsm8k, aqua, svamp\n", rest),
              ElementsAre(AllOf(HasSubstr("option is missing"), HasSubstr("data.file"))));
  EXPECT_THAT(problems("tasks = gsm8k, aqua\n"),
              ElementsAre(HasSubstr("suite without methods or tasks")));
}

/// A line with figures of every length.
SuiteRow row(const std::string& title, const std::string& task, const std::string& trained_on) {
  SuiteRow row;
  row.entry = {.method = "softcot", .variant = "", .title = title};
  row.samples = "softcot";
  row.task = task;
  row.trained_on = trained_on;
  row.thoughts = "32 / 16";
  MethodResult result;
  result.questions = 1319;
  result.nll_per_token = Estimate{12.34567, {12.1, 12.5}};
  result.accuracy["flexible"] = {1.0, 0.012, {0.98, 1.0}};
  result.over_seeds = {.count = 5, .mean = 1.0, .deviation = 0.1234};
  Contrast contrast;
  contrast.nll = PairedRatios{{-1.5, {-2, -1}}, {-0.1234, {-0.1434, -0.1034}}};
  contrast.mcnemar_p = 0.000123;
  result.contrast = contrast;
  row.result = result;
  row.published = 81.03;
  row.runs.push_back({.folder = "softcot-" + task,
                      .hash = "h",
                      .provenance = {.config_hash = "",
                                     .prompt_hash = "p",
                                     .model_hashes = {{"backbone", "b"}},
                                     .versions = {},
                                     .trained_parameters = {},
                                     .parameters = {{"trained", 332352}}}});
  return row;
}

Suite wide_suite() {
  Suite suite;
  suite.title = "Wide";
  suite.source = "somewhere";
  suite.tasks = {"gsm8k", "asdiv_aug", "aqua", "strategyqa", "svamp"};
  suite.transfer = {"gsm8k", "asdiv_aug", "aqua", "strategyqa", "svamp", "date_understanding"};
  suite.published = {{"softcot", "gsm8k", 81.03}};
  return suite;
}

SuiteTable wide_table(const Suite& suite) {
  SuiteTable table;
  for (const std::string& task : suite.all_tasks()) {
    for (const std::string& trained_on : suite.tasks) {
      table.rows.push_back(row("SoftCoT + prompt tuning, N = 24", task, trained_on));
      table.rows.push_back(row("LoRA", task, trained_on));
    }
  }
  table.missing = {{"lora-aqua-seed41", "failed: train 3: error[3] | cannot read"}};
  return table;
}

std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

TEST(SuiteTables, FitATerminal) {
  const Suite suite = wide_suite();
  SuiteTable table = wide_table(suite);
  table.rows[1].result->skipped = 3;
  const std::string text = format_suite(suite, table);
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns(line), 100U) << line;
    EXPECT_THAT(line, Not(::testing::EndsWith(" ")));
    widest = std::max(widest, columns(line));
  }
  EXPECT_GT(widest, 80U);
  EXPECT_THAT(text,
              AllOf(HasSubstr("(12.3 sd)"), HasSubstr("−12.3 [−14.3, −10.3]"), HasSubstr("32 / 16"),
                    HasSubstr("332k"), HasSubstr("0.00012"), HasSubstr("Transfer, accuracy %"),
                    HasSubstr("missing: lora-aqua-seed41: failed: train 3")));
  EXPECT_THAT(text, HasSubstr("\ngsm8k, LoRA: 3 questions are left out"));
  EXPECT_THAT(suite_markdown(suite, table), HasSubstr("\ngsm8k, LoRA: 3 questions are left out"));
}

TEST(SuiteTables, AMatrixHasEachTaskInItsColumn) {
  const Suite suite = wide_suite();
  SuiteTable table = wide_table(suite);
  for (SuiteRow& each : table.rows) {
    each.result->over_seeds.deviation.reset();
    const bool native = each.trained_on == each.task;
    each.result->accuracy["flexible"] = {native ? 0.5 : 0.25, 0.01, {0, 1}};
  }
  const std::string page = suite_markdown(suite, table);
  EXPECT_THAT(page,
              AllOf(HasSubstr("| LoRA (aqua) | 25.0 ± 1.0 | 25.0 ± 1.0 | 50.0 ± 1.0 | 25.0 ± 1.0 |"
                              " 25.0 ± 1.0 | 25.0 ± 1.0 |\n"),
                    HasSubstr("| LoRA | 50.0 (81.03) | 50.0 (81.03) |"),
                    HasSubstr("error[3] \\| cannot read"), HasSubstr("| softcot-aqua | h | p |")));
}

TEST_F(SuiteFile, APublishedFigureNamesItsTraining) {
  const std::string both =
      "methods = zero_shot_cot, softcot\ntasks = gsm8k, aqua\ntransfer = svamp\nsource = s\n";
  const std::string svamp = "[task.svamp]\ndata.eval-file = svamp.json\n[published]\n";
  const Suite suite = read(both, svamp +
                                     "svamp.zero_shot_cot = 50\nsvamp.softcot@gsm8k = 60\n"
                                     "aqua.softcot = 40\naqua.softcot@gsm8k = 30\n");
  std::vector<std::string> trainings;
  for (const PublishedFigure& figure : suite.published) trainings.push_back(figure.trained_on);
  EXPECT_THAT(trainings, ElementsAre("", "gsm8k", "aqua", "gsm8k"));
  EXPECT_EQ(suite.training_for("svamp"), "gsm8k");
  EXPECT_EQ(suite.training_for("aqua"), "aqua");
  EXPECT_EQ(read(both, svamp + "aqua.softcot = 40\n").training_for("svamp"), "");
  const Suite named = read(both + "transfer-from = aqua\n", svamp + "svamp.softcot = 60\n");
  EXPECT_EQ(named.training_for("svamp"), "aqua");
  EXPECT_EQ(named.published.at(0).trained_on, "aqua");
  EXPECT_THAT(problems(both, svamp + "svamp.softcot = 60\n"),
              ElementsAre(AllOf(HasSubstr("without its training"), HasSubstr("METHOD@TASK"))));
  EXPECT_THAT(problems(both, svamp + "svamp.softcot@svamp = 60\n"),
              ElementsAre(HasSubstr("without its training")));
  EXPECT_THAT(problems(both, svamp + "svamp.zero_shot_cot@gsm8k = 60\n"),
              ElementsAre(HasSubstr("trains nothing")));
  EXPECT_THAT(problems(both + "transfer-from = svamp\n", svamp),
              ElementsAre(HasSubstr("task without a training")));
}

// The column of a task that is tested on only holds what was trained on transfer_from.
TEST(SuiteTables, TheOverviewShowsTheTrainingOfATransfer) {
  Suite suite = wide_suite();
  SuiteTable table = wide_table(suite);
  for (SuiteRow& each : table.rows) {
    each.result->over_seeds.deviation.reset();
    each.result->accuracy["flexible"] = {each.trained_on == "aqua" ? 0.5 : 0.25, 0.01, {0, 1}};
    each.published.reset();
    if (each.task == "date_understanding") each.result->majority_class = {"B", 0.2};
  }
  const std::string before = suite_markdown(suite, table);
  EXPECT_THAT(before, HasSubstr("| LoRA | 25.0 | 25.0 | 50.0 | 25.0 | 25.0 | – |"));
  suite.transfer_from = "aqua";
  const std::string page = suite_markdown(suite, table);
  EXPECT_THAT(page, HasSubstr("| LoRA | 25.0 | 25.0 | 50.0 | 25.0 | 25.0 | 50.0 |"));
  EXPECT_THAT(page, HasSubstr("| majority class | – | – | – | – | – | 20.0 |"));
  EXPECT_THAT(page, HasSubstr("## date_understanding, 1319 questions; always B: 20.0 %"));
}

/// A cell's folder with results of the ways in which it was answered and scored.
void write_results_of(const std::filesystem::path& folder, const SuiteCell& cell,
                      const std::string& below, std::vector<MethodSamples> ways) {
  const RunPaths paths{folder / cell.folder() / below};
  std::filesystem::create_directories(folder / cell.folder() / below / "samples");
  for (MethodSamples& way : ways) {
    for (int q = 0; q < 4; ++q) {
      Sample sample;
      sample.question_id = "q" + std::to_string(q);
      sample.question = "?";
      sample.reference = q == 0 ? "Yes" : "No";
      sample.finish = "stop";
      sample.text = "The answer is yes.";
      extract_answers(sample, AnswerType::kYesNo);
      way.samples.push_back(sample);
    }
    SampleLog log(paths.samples(way.method), "key");
    for (const Sample& sample : way.samples) log.append(sample);
    log.flush();
  }
  write_results(paths.results(), compare_methods(ways, {}), {});
}

// Each way of answering and scoring is a line of its own, with the zero-shot CoT of its scoring.
TEST_F(SuiteFile, EverySampleFileOfACellIsALine) {
  const Suite suite = read(
      "methods = zero_shot_cot, softcot:n4\ntasks = gsm8k, aqua\ntransfer = gsm8k\nsource = s\n",
      std::string(kVariant) + "[published]\ngsm8k.softcot:n4 = 81\ngsm8k.softcot:n4@aqua = 70\n");
  const std::filesystem::path out = folder_.path() / "out";
  const auto ways = [](const std::string& method, const std::string& title) {
    const auto reference = quirks_of<ScoringQuirks>({"reference"}, "gsm8k");
    return std::vector<MethodSamples>{
        {method, title, {}, 1, {}, "zero_shot_cot"},
        {method + "-greedy", title + ", greedy", {}, 1, {}, "zero_shot_cot"},
        {method + "-reference",
         title + " (reference scoring)",
         {},
         1,
         reference,
         "zero_shot_cot-reference"},
        {method + "-greedy-reference",
         title + ", greedy (reference scoring)",
         {},
         1,
         reference,
         "zero_shot_cot-reference"}};
  };
  write_results_of(out, cell_of(suite, "zero_shot_cot-gsm8k"), "",
                   ways("zero_shot_cot", "Zero-shot CoT"));
  write_results_of(out, cell_of(suite, "softcot-n4-gsm8k-seed41"), "", ways("softcot", "SoftCoT"));
  write_results_of(out, cell_of(suite, "softcot-n4-aqua-seed41"), "on-gsm8k",
                   ways("softcot", "SoftCoT"));
  const SuiteTable table = read_suite_table(suite, out);
  std::vector<std::string> lines;
  for (const SuiteRow& row : table.rows) {
    if (!row.result) continue;
    std::ostringstream text;
    text << row.entry.title << " [" << row.trained_on << "] " << row.samples << " vs "
         << (row.result->contrast ? row.result->baseline : "–") << " ";
    if (row.published) text << *row.published;
    lines.push_back(text.str());
  }
  const std::string other = "zero_shot_cot/zero_shot_cot-reference";
  EXPECT_THAT(
      lines, ElementsAre(
                 "Zero-shot CoT [] zero_shot_cot vs – ",
                 "Zero-shot CoT, greedy [] zero_shot_cot-greedy vs zero_shot_cot ",
                 "Zero-shot CoT (reference scoring) [] zero_shot_cot-reference vs – ",
                 "Zero-shot CoT, greedy (reference scoring) [] zero_shot_cot-greedy-reference vs " +
                     other + " ",
                 "SoftCoT, N = 4 [gsm8k] softcot vs zero_shot_cot 81",
                 "SoftCoT, N = 4, greedy [gsm8k] softcot-greedy vs zero_shot_cot ",
                 "SoftCoT, N = 4 (reference scoring) [gsm8k] softcot-reference vs " + other + " 81",
                 "SoftCoT, N = 4, greedy (reference scoring) [gsm8k] softcot-greedy-reference vs " +
                     other + " ",
                 "SoftCoT, N = 4 [aqua] softcot vs zero_shot_cot 70",
                 "SoftCoT, N = 4, greedy [aqua] softcot-greedy vs zero_shot_cot ",
                 "SoftCoT, N = 4 (reference scoring) [aqua] softcot-reference vs " + other + " 70",
                 "SoftCoT, N = 4, greedy (reference scoring) [aqua] softcot-greedy-reference vs " +
                     other + " "));
  for (const SuiteRow& row : table.rows) {
    EXPECT_EQ(row.result.has_value(), row.task == "gsm8k") << "nothing was tested on aqua";
  }
  EXPECT_EQ(table.rows.size(), 12U + 2);
  EXPECT_THAT(suite_markdown(suite, table),
              AllOf(HasSubstr("| SoftCoT, N = 4 (reference scoring) |"),
                    HasSubstr("## gsm8k, 4 questions; always No: 75.0 %")));
}

TEST(SuiteTables, APublishedFigureStandsBesideTheVote) {
  const Suite suite = {.title = "Votes",
                       .source = "somewhere",
                       .entries = {},
                       .tasks = {"gsm8k"},
                       .transfer = {},
                       .published = {{"softcot", "gsm8k", 90.63}},
                       .cells = {},
                       .hash = ""};
  SuiteTable table;
  table.rows = {row("SoftCoT", "gsm8k", "gsm8k")};
  table.rows[0].published = 90.63;
  table.rows[0].result->voting = {.majority = {0.8, 0.8125, 0.85}, .pass = {0.8, 0.85, 0.9}};
  const std::string page = suite_markdown(suite, table);
  EXPECT_THAT(page, AllOf(HasSubstr("| method | k = 1 | k = 2 | k = 3 | paper |"),
                          HasSubstr("| gsm8k: SoftCoT | 80.0 | 81.2 | 85.0 | 90.63 |")));
  EXPECT_THAT(page, HasSubstr("| 0.00012 |  |\n"));
  EXPECT_THAT(suite_csv(table),
              HasSubstr("gsm8k,softcot,gsm8k,32 / 16,332k,1319,5,12.3457,-0.1234,-0.1434,-0.1034,"
                        "1,0.012,0.1234,0.85,0.000123,90.63,softcot\n"));
}

}  // namespace
}  // namespace softcot
