// What is drawn and written of the runs that were read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <tuple>

#include "evaluation/study_browser.h"
#include "evaluation/study_page.h"
#include "evaluation/study_tables.h"
#include "launch/study/study_reader.h"
#include "support/child_process.h"
#include "support/files.h"
#include "support/fixtures.h"
#include "support/made_runs.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using namespace test;  // NOLINT(google-build-using-namespace)
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNoGnuplot = "no-such-gnuplot";

TEST(Study, DrawsWhatTheSweepHas) {
  const TemporaryFolder folder;
  make_sweep(folder.path() / "grid");
  const std::string page = study_page(read_study({folder.path() / "grid"}), "gnuplot");
  for (const char* part :
       {"gsm8k: number of thoughts", "thought tokens (N)", "gsm8k: size of the assistant", ">28M<",
        "Trainings", "Transfer: accuracy", "N trained", "--heat:1.000", "What it took",
        "failed: no memory", "prefers-color-scheme", "332k", "d00d", "b0b0"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  EXPECT_THAT(page, Not(HasSubstr("votes among samples")));
}

TEST(Study, TheSameRunsMakeTheSameBytes) {
  const TemporaryFolder folder;
  make_sweep(folder.path() / "here/grid");
  fs::create_directories(folder.path() / "there");
  fs::copy(folder.path() / "here/grid", folder.path() / "there/grid", fs::copy_options::recursive);
  const Study here = read_study({folder.path() / "here/grid"});
  const Study there = read_study({folder.path() / "there/grid"});
  EXPECT_EQ(study_page(here, "gnuplot"), study_page(there, "gnuplot"));
  EXPECT_EQ(samples_page(here, 7), samples_page(there, 7));
  EXPECT_EQ(study_markdown(here), study_markdown(there));
  EXPECT_EQ(study_latex(here), study_latex(there));
  EXPECT_EQ(study_csv(here), study_csv(there));
}

TEST(Study, TablesSayWhatTheyAlwaysSaid) {
  const TemporaryFolder folder;
  make_run(folder.path() / "zero", zero_shot());
  make_run(folder.path() / "soft", with({}));
  const Study study = read_study({folder.path() / "zero", folder.path() / "soft"});
  EXPECT_THAT(
      study_markdown(study),
      HasSubstr("## gsm8k, 20 questions\n\n"
                "| method | NLL | Δ % [95 %] | accuracy % | p | N | trained | seeds |\n"
                "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
                "| Zero-shot CoT | 1.5200 | – | 20.0 ± 8.9 | – |  |  | 1 |\n"
                "| SoftCoT | 1.2200 | −19.7 [−19.8, −19.7]∗ | 35.0 ± 10.7 | 0.25 | 4 | 332k "
                "| 1 |\n"));
  EXPECT_THAT(study_latex(study),
              HasSubstr("SoftCoT & 1.2200 & $-$19.7 [$-$19.8, $-$19.7]$^{*}$ & 35.0 $\\pm$ 10.7 & "
                        "0.25 & 4 & 332k & 1 \\\\\n"));
  EXPECT_THAT(study_csv(study), HasSubstr("gsm8k,softcot,SoftCoT,gsm8k,4,4,,332352,20,20,1,1.22,"));
}

TEST(Study, OpensWithWhatTheLineSaysOfAllItsTrainings) {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  make_run(at / "zero", zero_shot());
  make_run(at / "a41", with({{"thoughts.count", "4"}}, 1.0));
  make_run(at / "a42", with({{"thoughts.count", "4"}, {"train.seed", "42"}}, 1.7));
  make_run(at / "b", with({{"thoughts.count", "8"}}, 1.45));
  const Study study = read_study({at / "zero", at / "a41", at / "a42", at / "b"});
  // N = 4 lies lower, but one of its trainings above zero-shot CoT.
  const std::string words = study_verdict(study, "gsm8k");
  EXPECT_THAT(words, AllOf(HasSubstr("gsm8k: Of 2 lines SoftCoT, N = 8 lowers"),
                           HasSubstr("20 questions, one training)"), HasSubstr("; accuracy ")));
  EXPECT_THAT(study_page(study, kNoGnuplot), HasSubstr(words));
  EXPECT_THAT(study_markdown(study), HasSubstr(words));
  EXPECT_THAT(study_words(study), HasSubstr("(gsm8k: 2)"));
}

TEST(Study, ShowsOfAnEvaluationWhatItUses) {
  const TemporaryFolder folder;
  make_run(folder.path() / "soft", with({{"train.batch", "4"}, {"lora.rank", "16"}}));
  const Study study = read_study({folder.path() / "soft"});
  std::map<std::string, std::string> texts(study.runs[0].configs.begin(),
                                           study.runs[0].configs.end());
  EXPECT_THAT(texts.at("config.cfg"), AllOf(HasSubstr("learning-rate = 0.001"),
                                            HasSubstr("batch = 4"), HasSubstr("rank = 16")));
  EXPECT_THAT(
      texts.at("evaluate.cfg"),
      AllOf(Not(HasSubstr("learning-rate")), Not(HasSubstr("batch = 4")), Not(HasSubstr("rank")),
            Not(HasSubstr("seed = 41")), HasSubstr("temperature = 0")));
}

TEST(Study, NoTextOfARunIsMarkup) {
  const TemporaryFolder folder;
  Made hostile = with({{"model.path", "models/<b>x</b>"}});
  hostile.title = kHostile;
  make_run(folder.path() / "<i>run", hostile);
  const Study study = read_study({folder.path() / "<i>run"});
  const std::string samples = samples_page(study, 0);
  for (const std::string& page : {study_page(study, kNoGnuplot), samples}) {
    for (const char* forbidden : {"<img", "<i>run", "<b>x", "document.title='taken'</", "\xff"}) {
      EXPECT_THAT(page, Not(HasSubstr(forbidden)));
    }
  }
  EXPECT_THAT(samples,
              AllOf(HasSubstr("&lt;/script&gt;&lt;script&gt;document.title=&#39;taken&#39;"),
                    HasSubstr("Prompt of How many? &lt;/script&gt;")));
  // One script, at the end, and nothing between that ends it early.
  const auto script = samples.find("<script>");
  EXPECT_EQ(samples.find("<script", script + 1), std::string::npos);
  EXPECT_EQ(samples.find("</script"), samples.rfind("</script"));
  EXPECT_THAT(study_latex(study), AllOf(HasSubstr("$<$/script$>$"), HasSubstr("\\_ \\%")));
  EXPECT_THAT(study_markdown(study), HasSubstr("\\| _ %"));
}

TEST(Study, SamplesStandInTheOrderOfTheirQuestionsAndSayWhatWasRead) {
  const TemporaryFolder folder;
  make_run(folder.path() / "zero", zero_shot());
  make_run(folder.path() / "soft", with({}));
  const Study study = read_study({folder.path() / "zero", folder.path() / "soft"});
  const std::string page = samples_page(study, 10);
  EXPECT_THAT(page, AllOf(HasSubstr("10 of 20 questions"), HasSubstr("gsm8k, test:0<"),
                          HasSubstr("gsm8k, test:2<"), Not(HasSubstr("gsm8k, test:1<"))));
  EXPECT_LT(page.find("test:8<"), page.find("test:10<"));
  EXPECT_THAT(page, HasSubstr("data-line=\"1\" data-right=\"1\" data-answer=\"5\">\n<h3>SoftCoT "
                              "<span class=\"right\">✓ 5</span>"));
  EXPECT_THAT(samples_page(study, 0), HasSubstr("20 of 20 questions"));
  fs::remove_all(folder.path() / "soft/prompts");
  const Study without = read_study({folder.path() / "soft"});
  EXPECT_THAT(samples_page(without, 0), HasSubstr("its hash is <code>softcot0</code>"));
}

TEST(StudyBrowser, PolicyNamesTheHashOfTheScript) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "script.js";
  spill(file, std::string(kBrowserScript.text));
  const auto hashed = run_child(
      {"python3", "-c",
       "import base64, hashlib, sys; print(base64.b64encode(hashlib.sha256(open(sys.argv[1], "
       "'rb').read()).digest()).decode(), end='')",
       file.string()});
  ASSERT_EQ(hashed.status, 0) << hashed.err;
  EXPECT_EQ(kBrowserScript.sha256, "sha256-" + hashed.out);
}

TEST(ReportCommand, WritesAllFilesOrSaysInOneLineWhyNot) {
  const TemporaryFolder folder;
  const std::string run = (folder.path() / "run").string();
  const std::string out = (folder.path() / "new/out").string();
  make_run(run, with({}));
  const auto report = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {SOFTCOT_PROGRAM, "report"});
    return test::run_child(arguments);
  };
  const auto good = report({run, "--out", out, "--questions", "3"});
  EXPECT_EQ(good.status, 0) << good.err;
  for (const char* name :
       {"report.html", "report.md", "report.csv", "report.tex", "samples.html"}) {
    EXPECT_TRUE(fs::exists(fs::path(out) / name)) << name;
  }
  EXPECT_EQ(slurp(fs::path(out) / "samples.html"), samples_page(read_study({run}), 3));
  spill(folder.path() / "file", "in the way");
  const std::vector<std::tuple<std::vector<std::string>, int, std::string>> refused = {
      {{}, 2, "nothing to report"},
      {{run}, 2, "--out"},
      {{run, "--run", run, "--out", out}, 2, "two kinds of report at once"},
      {{run + "x", "--out", out}, 3, "no such run folder"},
      {{folder.path().string(), "--out", out}, 3, "no results to report"},
      {{run, "--out", (folder.path() / "file/out").string()}, 2, "file/out"}};
  for (const auto& [arguments, status, part] : refused) {
    const auto result = report(arguments);
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_THAT(result.err, HasSubstr(part));
    const std::string last = result.err.substr(result.err.find("error["));
    EXPECT_EQ(std::count(last.begin(), last.end(), '\n'), 1) << result.err;
  }
}

TEST(Grid, LatexPrintsAnyText) {
  EXPECT_EQ(latex_text("a_b & 5% of {x} ~ \\ ± Δ\n"),
            "a\\_b \\& 5\\% of \\{x\\} \\textasciitilde{} \\textbackslash{} $\\pm$ $\\Delta$ ");
}

TEST(StudyTables, TheHeadingOfATaskHasItsMajorityClass) {
  Study study;
  StudyLine line;
  line.task = "dates";
  line.result.questions = 250;
  line.result.accuracy["flexible"] = {};
  line.result.majority_class = {"B", 0.2};
  study.lines.push_back(line);
  EXPECT_EQ(task_grid(study, "dates").title, "dates, 250 questions; always B: 20.0 %");
}

}  // namespace
}  // namespace softcot
