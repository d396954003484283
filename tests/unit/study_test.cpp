#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "evaluation/study_page.h"
#include "evaluation/study_tables.h"
#include "launch/study/study_reader.h"
#include "launch/study/study_settings.h"
#include "launch/sweep/suite.h"
#include "runtime/error.h"
#include "support/faults.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/made_runs.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using namespace test;  // NOLINT(google-build-using-namespace)
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kNoGnuplot = "no-such-gnuplot";

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<std::string> labels(const Study& study) {
  std::vector<std::string> labels;
  for (const StudyLine& line : study.lines) labels.push_back(line.label);
  return labels;
}

TEST(Study, RunsThatDifferInSeedsAreOneLineAndOthersSayWhatTheyDifferIn) {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  make_run(at / "zero", zero_shot());
  make_run(at / "a41", with({{"thoughts.count", "4"}}));
  make_run(at / "a42", with({{"thoughts.count", "4"}, {"train.seed", "42"}}, 1.3));
  make_run(at / "b", with({{"thoughts.count", "8"}}, 1.1));
  const Study study = read_study({at / "b", at / "a41", at / "a42", at / "zero"});
  EXPECT_THAT(labels(study), ElementsAre("Zero-shot CoT", "SoftCoT, N = 8", "SoftCoT, N = 4"));
  const StudyLine& pooled = study.lines[2];
  EXPECT_EQ(pooled.cells.size(), 2u);
  EXPECT_EQ(pooled.samples.seeds, 2u);
  EXPECT_NEAR(pooled.result.nll_per_token->value, 1.27, 1e-9);  // The mean of both seeds.
  EXPECT_NEAR(pooled.result.contrast->nll->relative.value, 1.27 / 1.52 - 1, 1e-9);
  EXPECT_EQ(pooled.result.over_seeds.count, 2u);
  EXPECT_THAT(study.left_out, IsEmpty());
}

TEST(Study, CountsTheSameRunOnce) {
  const TemporaryFolder folder;
  make_run(folder.path() / "one", zero_shot());
  make_run(folder.path() / "two", zero_shot());
  Made other = zero_shot();
  other.right_of_ten = 9;
  make_run(folder.path() / "three", other);
  const Study study =
      read_study({folder.path() / "one", folder.path() / "two", folder.path() / "three"});
  ASSERT_EQ(study.lines.size(), 1u);
  EXPECT_EQ(study.lines[0].result.questions, 20u);
  EXPECT_EQ(study.lines[0].cells.size(), 1u);
  EXPECT_THAT(study.left_out, ElementsAre(Field(&LeftOut::reason, HasSubstr("repeats one")),
                                          Field(&LeftOut::reason, HasSubstr("differs from one"))));
}

TEST(Study, MarksResultsThatAreNotThoseOfTheirSettings) {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  make_run(at / "zero", zero_shot());
  make_run(at / "good", with({}));
  make_run(at / "changed", with({{"train.seed", "42"}}));
  write(at / "changed/evaluate.cfg", slurp(at / "changed/evaluate.cfg") + "top-p = 0.5\n");
  make_run(at / "edited", with({{"train.seed", "43"}}));
  std::string samples = test::without_seals(slurp(at / "edited/samples/softcot.jsonl"));
  const std::string wrong = "\"flexible\":{\"answer\":\"6\",\"correct\":false";
  samples.replace(samples.find(wrong), wrong.size(),
                  "\"flexible\":{\"answer\":\"6\",\"correct\":true");
  write(at / "edited/samples/softcot.jsonl", samples);
  const Study study = read_study({at / "zero", at / "good", at / "changed", at / "edited"});
  ASSERT_THAT(labels(study), ElementsAre("Zero-shot CoT", "SoftCoT", "⚠ SoftCoT, run changed",
                                         "⚠ SoftCoT, run edited"));
  EXPECT_EQ(study.lines[1].samples.seeds, 1u);
  EXPECT_THAT(study.lines[2].doubt, HasSubstr("results.json is of the settings"));
  EXPECT_THAT(study.lines[3].doubt, HasSubstr("does not follow from samples/softcot.jsonl"));
  const std::string page = study_page(study, kNoGnuplot);
  EXPECT_THAT(page, AllOf(HasSubstr("Left out or in doubt"), HasSubstr("⚠ changed")));
  EXPECT_THAT(study_csv(study), HasSubstr("results.json is of the settings"));
}

TEST(Study, LeavesOutWhatItCannotReadAndSaysWhy) {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  make_run(at / "good", with({}));
  make_run(at / "newer", with({}));
  std::string results = test::without_seals(slurp(at / "newer/results.json"));
  results.replace(results.find("softcot-results/1"), 17, "softcot-results/9");
  write(at / "newer/results.json", results);
  make_run(at / "torn", with({}));
  write(at / "torn/results.json", "{\"schema\"");
  write(at / "trained/metrics.jsonl", "{\"step\": 1, \"loss\": 1}\n");
  fs::create_directories(at / "empty");
  make_run(at / "older", with({{"train.seed", "42"}}));
  results = test::without_seals(slurp(at / "older/results.json"));
  const std::string version = "\"softcot\": \"" SOFTCOT_VERSION "\"";
  results.replace(results.find(version), version.size(), "\"softcot\": \"0.0.1\"");
  write(at / "older/results.json", results);
  const Study study = read_study(
      {at / "good", at / "newer", at / "torn", at / "trained", at / "empty", at / "older"});
  // Another version is a line of its own.
  EXPECT_THAT(labels(study),
              ElementsAre("SoftCoT, softcot " SOFTCOT_VERSION, "SoftCoT, softcot 0.0.1"));
  std::vector<std::string> reasons;
  for (const LeftOut& each : study.left_out) {
    reasons.push_back(each.name + ": " + each.reason);
    EXPECT_THAT(each.reason, Not(HasSubstr("\n")));
  }
  EXPECT_THAT(reasons,
              ElementsAre(AllOf(HasSubstr("newer: results of another version"),
                                HasSubstr("expected softcot-results/1, got softcot-results/9")),
                          HasSubstr("torn: "), HasSubstr("trained: no results.json"),
                          HasSubstr("empty: not a run folder"),
                          HasSubstr("older (kept): made by softcot 0.0.1")));
  EXPECT_THROW(read_study({at / "trained"}), Error);
  EXPECT_THROW(read_study({at / "nowhere"}), Error);
}

TEST(Study, ReadsASuiteWithItsTitlesPublishedFiguresAndMarks) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "suite";
  const auto add = [&](const std::string& name, const Made& made) {
    make_run(out / name, made);
    SuiteCell cell;
    cell.settings = {{"train.method", made.method}, {"train.steps", "5"}};
    write(out / name / "cell.done", cell.hash() + "\n");
    cell.settings["run.folder"] = (out / name).string();
    write(out / name / "cell.cfg", config_text(cell.settings));
  };
  add("zero_shot_cot-gsm8k", zero_shot());
  add("softcot-gsm8k-seed41", with({}));
  add("softcot-n8-gsm8k-seed41", with({{"thoughts.count", "8"}}));
  write(out / "lora-gsm8k-seed41/cell.cfg", "[train]\nmethod = lora\n");
  write(out / "lora-gsm8k-seed41/cell.failed", "train 6\nerror[6] not enough memory\n");
  const auto row = [](const std::string& title, const std::string& cell) {
    return nlohmann::json{{"title", title}, {"runs", {{{"folder", cell}}}}};
  };
  nlohmann::json soft = row("SoftCoT", "softcot-gsm8k-seed41");
  soft["published_percent"] = 81.03;
  const auto write_result = [&] {
    write(out / "result.json", nlohmann::json{{"title", "What people read"},
                                              {"source", "A paper"},
                                              {"rows",
                                               {row("Zero-shot CoT", "zero_shot_cot-gsm8k"), soft,
                                                row("N = 8", "softcot-n8-gsm8k-seed41")}}}
                                   .dump());
  };
  write_result();
  const Study study = read_study({out});
  EXPECT_EQ(study.title, "What people read");
  EXPECT_THAT(labels(study), ElementsAre("Zero-shot CoT", "SoftCoT", "N = 8"));
  EXPECT_THAT(study.left_out,
              ElementsAre(Field(&LeftOut::reason, "failed: train 6: error[6] not enough memory")));
  EXPECT_THAT(study_markdown(study), AllOf(HasSubstr("published %"), HasSubstr("81.03"),
                                           HasSubstr("Published: A paper.")));
  // A figure of one of a cell's sample files stands beside that one.
  for (const auto& [samples, shown] : {std::pair("softcot", true), {"softcot-greedy", false}}) {
    soft["samples"] = samples;
    write_result();
    EXPECT_EQ(study_markdown(read_study({out})).find("81.03") != std::string::npos, shown);
  }
  write(out / "softcot-gsm8k-seed41/cell.cfg", "[train]\nmethod = softcot\nsteps = 6\n");
  EXPECT_THAT(read_study({out}).lines[1].doubt, HasSubstr("cell.done is of the settings"));
}

TEST(Study, ReadsASweep) {
  const TemporaryFolder folder;
  make_sweep(folder.path() / "grid");
  const Study study = read_study({folder.path() / "grid"});
  EXPECT_THAT(study.left_out, ElementsAre(Field(&LeftOut::reason, "failed: no memory"),
                                          Field(&LeftOut::reason, "missing")));
  EXPECT_THAT(labels(study), Contains("SoftCoT, assistant 4 layers, N = 32"));
  const std::vector<Grid> heat = thought_grids(study, "gsm8k");
  ASSERT_THAT(heat, SizeIs(2));
  EXPECT_THAT(heat[0].heads, ElementsAre("N trained \\ tested", "2", "16"));
  EXPECT_THAT(heat[0].lines[0], ElementsAre("2", "1.3200", "1.3200"));
  EXPECT_EQ(heat[0].heat[1][0], 0.0);
  const std::vector<Grid> transfer = transfer_grids(study);
  ASSERT_THAT(transfer, SizeIs(2));
  EXPECT_THAT(transfer[0].heads, ElementsAre("method", "gsm8k", "svamp"));
}

TEST(Study, NoPathInASweepOrASuiteLeadsOutOfItsFolder) {
  const TemporaryFolder folder;
  make_run(folder.path() / "secret", with({}));
  const auto refused = [&](const char* name, const std::string& text) {
    write(folder.path() / "out/zero/cell.cfg", "[train]\nmethod = zero_shot_cot\n");
    write(folder.path() / "out" / name, text);
    const Error error = error_of([&] { read_study({folder.path() / "out"}); });
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("leads out"), HasSubstr(name), HasSubstr("secret")));
    fs::remove_all(folder.path() / "out");
  };
  const std::string outside = (folder.path() / "secret").string();
  for (const std::string& secret :
       {std::string("../secret"), std::string("zero/../../secret"), outside}) {
    for (const char* key : {"baseline", "trained", "results"}) {
      make_sweep(folder.path() / "out");
      auto sweep = nlohmann::json::parse(slurp(folder.path() / "out/sweep.json"));
      sweep["cells"][1][key] = secret + (key == std::string("results") ? "/results.json" : "");
      refused("sweep.json", sweep.dump());
    }
    refused("result.json",
            nlohmann::json{{"title", ""},
                           {"source", ""},
                           {"rows", {{{"title", "x"}, {"runs", {{{"folder", secret}}}}}}}}
                .dump());
  }
}

}  // namespace
}  // namespace softcot
