#include "evaluation/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <utility>

#include "evaluation/report_html.h"
#include "evaluation/report_training.h"
#include "evaluation/svg_gnuplot.h"
#include "evaluation/svg_plot.h"
#include "runtime/error.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHostile =
    "<script>alert('x')</script><img src=x onerror=\"go()\"> & \x1b[31m \xff end";
constexpr const char* kNoGnuplot = "no-such-gnuplot";

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<MethodSamples> samples(double soft_nll, double noise) {
  std::vector<MethodSamples> methods = {{"zero_shot_cot", "Zero-shot CoT", {}},
                                        {"softcot", "SoftCoT", {}}};
  for (int i = 0; i < 30; ++i) {
    for (MethodSamples& method : methods) {
      Sample sample;
      sample.question_id = "q" + std::to_string(100 + i);
      sample.question = std::string(kHostile) + " How many?";
      sample.reference = "5";
      sample.text = std::string("The answer is <b>5</b>.\n") + kHostile;
      sample.finish = i % 3 == 0 ? "length" : "stop";
      sample.new_tokens = 20 + i;
      sample.target_tokens = 10;
      const double swing = noise * (i % 2 == 0 ? 1 : -1);
      sample.answer_nll = 10 * (method.method == "softcot" ? soft_nll + swing : 1.5);
      extract_answers(sample, AnswerType::kNumber);
      method.samples.push_back(sample);
    }
  }
  return methods;
}

// A run folder as training and evaluation leave it.
void make_run(const std::filesystem::path& folder, double soft_nll = 1.2, double noise = 0.05) {
  const std::vector<MethodSamples> methods = samples(soft_nll, noise);
  std::filesystem::create_directories(folder / "samples");
  for (const MethodSamples& method : methods) {
    SampleLog log(folder / "samples" / (method.method + ".jsonl"), "key");
    for (const Sample& sample : method.samples) log.append(sample);
  }
  write_results(folder / "results.json", compare_methods(methods, {}),
                {.config_hash = "c0ffee",
                 .prompt_hash = "beef",
                 .model_hashes = {{"backbone", kHostile}},
                 .versions = {{"softcot", "0.1.0"}},
                 .trained_parameters = {"projection.weight [8, 4]"}});
  std::string metrics = "{\"step\": 0, \"heldout_loss\": 1.6}\n";
  for (int step = 1; step <= 100; ++step) {
    metrics += "{\"step\": " + std::to_string(step) +
               ", \"loss\": " + std::to_string(1.5 - 0.003 * step) +
               ", \"grad_norm\": 0.5, \"learning_rate\": 0.001, \"tokens_per_second\": 900";
    if (step % 20 == 0) metrics += ", \"heldout_loss\": " + std::to_string(1.6 - 0.003 * step);
    metrics += "}\n";
  }
  write(folder / "metrics.jsonl", metrics + "{\"step\": 101, \"lo");
  write(folder / "config.cfg", std::string("[train]\nname = ") + kHostile + "\n");
}

TEST(Report, ShowsTheWholeRunOnOnePage) {
  const TemporaryFolder folder;
  make_run(folder.path() / "my-run");
  const std::string page =
      render_report(read_run(folder.path() / "my-run"), {.gnuplot = kNoGnuplot});
  for (const char* part :
       {"my-run", "SoftCoT lowers the held-out NLL per token", "from 1.5000 to 1.2000 nats",
        "−20.0 %", "30 questions", "projection.weight [8, 4]", "c0ffee", "[train]",
        "Effective configuration", "gnuplot is missing", "1.4970", "flexible",
        "1 line of metrics.jsonl could not be read", "Zero-shot CoT"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST(Report, NeedsNothingFromElsewhereAndRunsNothing) {
  const TemporaryFolder folder;
  make_run(folder.path());
  const std::string page = render_report(read_run(folder.path()), {});
  for (const char* forbidden : {"<script", "<img", "<link", "<iframe", "<foreignObject", "@import",
                                "onerror=\"", "javascript:", "url(http", "\x1b", "\xff"}) {
    EXPECT_THAT(page, Not(HasSubstr(forbidden)));
  }
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(Report, VouchesForFrozenWeightsOnlyWhereTheTrainingDid) {
  const TemporaryFolder folder;
  const std::string steps = "{\"step\": 1, \"loss\": 2.5}\n";
  const auto page = [&] { return render_report(read_run(folder.path()), {.gnuplot = kNoGnuplot}); };
  write(folder.path() / "metrics.jsonl", steps);
  EXPECT_THAT(page(), Not(HasSubstr("frozen")));
  write(folder.path() / "metrics.jsonl",
        steps + "{\"step\": 1, \"frozen_weights_unchanged\": \"7b94a8<\"}\n");
  EXPECT_THAT(page(), AllOf(HasSubstr("is frozen"), HasSubstr("7b94a8&lt;")));
  EXPECT_EQ(read_run(folder.path()).steps.size(), 1u);
}

TEST(Report, KeepsTheStagesOfACurriculumApart) {
  const TemporaryFolder folder;
  write(folder.path() / "metrics.jsonl",
        R"({"step": 0, "stage": 0, "heldout_loss": 1.5}
{"step": 1, "stage": 0, "loss": 1.6}
{"step": 2, "stage": 0, "loss": 1.4, "heldout_loss": 1.25}
{"step": 2, "stage": 1, "heldout_loss": 1.75}
{"step": 3, "stage": 1, "loss": 1.7, "heldout_loss": 1.625}
)");
  const RunRecord run = read_run(folder.path());
  ASSERT_EQ(run.steps.size(), 5u);
  EXPECT_THAT(render_report(run, {.gnuplot = kNoGnuplot}),
              AllOf(HasSubstr("Held out in stage 0 1.5000 at step 0, 1.2500 at step 2."),
                    HasSubstr("Held out in stage 1 1.7500 at step 2, 1.6250 at step 3.")));
  const auto lines = heldout_loss(run.steps, 5);
  ASSERT_EQ(lines.size(), 2u);
  for (const PlotSeries& line : lines) {
    EXPECT_EQ(line.colour, 5);
    EXPECT_EQ(line.points.size(), 2u);
  }
  EXPECT_EQ(lines[1].points[0].x, 2);
  EXPECT_EQ(lines[1].points[0].y, 1.75);
}

TEST(Report, SaysSoWhenTheMethodLoses) {
  const TemporaryFolder folder;
  make_run(folder.path(), 1.8);
  const std::string page = render_report(read_run(folder.path()), {.gnuplot = kNoGnuplot});
  EXPECT_THAT(page, AllOf(HasSubstr("SoftCoT raises the held-out NLL"), HasSubstr("+20.0 %")));
  EXPECT_THAT(page, Not(HasSubstr("lowers the held-out")));
}

TEST(Report, SaysSoWhenNothingCanBeToldApart) {
  const Comparison comparison = compare_methods(samples(1.49, 0.4), {});
  EXPECT_THAT(verdict_sentences(comparison),
              testing::ElementsAre(HasSubstr("SoftCoT cannot be told apart from Zero-shot CoT")));
  const std::vector<MethodSamples> alone = {samples(1.2, 0)[1]};
  EXPECT_THAT(verdict_sentences(compare_methods(alone, {})), testing::IsEmpty());
}

TEST(Report, ShowsTheCurvesOfSeveralSamples) {
  std::vector<MethodSamples> methods = samples(1.2, 0.05);
  for (MethodSamples& method : methods) {
    const auto first = method.samples;
    for (Sample again : first) {
      again.sample_index = 1;
      again.flexible = {"6", false};
      method.samples.push_back(again);
    }
  }
  RunRecord run;
  run.comparison = compare_methods(methods, {});
  const std::string page = render_report(run, {});
  EXPECT_THAT(page, AllOf(HasSubstr("Several samples of a question"), HasSubstr("pass@k"),
                          HasSubstr("samples of a question (k)"), HasSubstr("SoftCoT, vote")));
  EXPECT_THAT(render_report(run, {.gnuplot = kNoGnuplot}), HasSubstr("majority vote"));
  run.comparison = compare_methods(samples(1.2, 0.05), {});
  EXPECT_THAT(render_report(run, {}), Not(HasSubstr("Several samples")));
}

TEST(Report, PartsOfARunAreEnough) {
  const TemporaryFolder folder;
  write(folder.path() / "metrics.jsonl",
        "{\"step\": 1, \"loss\": null}\nnot json\n[]\n{\"loss\": 3}\n");
  const RunRecord run = read_run(folder.path());
  EXPECT_EQ(run.steps.size(), 1u);
  EXPECT_THAT(render_report(run, {.gnuplot = kNoGnuplot}),
              AllOf(HasSubstr("not been evaluated yet"), HasSubstr("3 lines of metrics.jsonl")));
  const TemporaryFolder empty;
  EXPECT_THROW(read_run(empty.path()), Error);
  EXPECT_THROW(read_run(empty.path() / "none"), Error);
  write(empty.path() / "results.json", "{}");
  EXPECT_THROW(read_run(empty.path()), Error);
}

TEST(Report, PartsOfAStoppedEvaluationAreNoMethod) {
  const TemporaryFolder folder;
  make_run(folder.path());
  std::filesystem::copy(folder.path() / "samples/softcot.jsonl",
                        folder.path() / "samples/softcot.part-1.jsonl");
  const RunRecord run = read_run(folder.path());
  EXPECT_EQ(run.methods.size(), 2u);
  EXPECT_THAT(run.remarks, testing::Contains(HasSubstr("under way or was stopped")));
}

TEST(Report, QuestionsAreSpacedEvenly) {
  const TemporaryFolder folder;
  make_run(folder.path());
  const std::string page =
      render_report(read_run(folder.path()), {.questions = 3, .gnuplot = kNoGnuplot});
  for (const char* id : {">q100<", ">q110<", ">q120<"}) EXPECT_THAT(page, HasSubstr(id));
  EXPECT_THAT(page, Not(HasSubstr(">q101<")));
}

TEST(HtmlText, EscapesAndMends) {
  EXPECT_EQ(html_text("<a href=\"x\" id='y'>&amp;"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;");
  EXPECT_EQ(html_text("a\tb\nc\x01\x1b"), "a\tb\nc");
  EXPECT_EQ(html_text("\xE2\x82"), "\uFFFD\uFFFD");
  EXPECT_EQ(html_text("\xC0\xAF\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(html_text("\u20AC \U0001F600"), "\u20AC \U0001F600");
  EXPECT_EQ(shortened("\u20AC\u20AC\u20AC", 2), "\u20AC\u20AC …");
  EXPECT_EQ(shortened("abc", 3), "abc");
}

Plot small_plot(const std::string& text) {
  Plot plot{.id = "x", .x_label = text, .y_label = text, .x_names = {text, "B"}, .series = {}};
  plot.series.push_back(
      {text, PlotSeries::Style::kErrorBars, 0, {{0, 1, 0.5, 1.5}, {1, 2, 1.5, NAN}}});
  return plot;
}

TEST(SvgPlot, NoTextCanBecomeAnInstruction) {
  const TemporaryFolder folder;
  const auto mark = folder.path() / "mark";
  const std::string attack = "x'\n!touch " + mark.string() + "\n`touch " + mark.string() +
                             "`; system(\"touch " + mark.string() + "\") END\nEND\n\\'";
  const std::string script = gnuplot_script(small_plot(attack));
  for (const char* forbidden : {"`", "!", "\"", ";", "\\", "\nEND\nEND"}) {
    EXPECT_THAT(script, Not(HasSubstr(forbidden)));
  }
  EXPECT_THAT(script, Not(HasSubstr("nan")));
  draw_svg(small_plot(attack), "gnuplot");
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(SvgPlot, DrawsAPictureWithGnuplot) {
  const auto svg = draw_svg(small_plot("A"), "gnuplot");
  ASSERT_TRUE(svg) << "the report needs gnuplot on the machine that runs these tests";
  EXPECT_EQ(svg->substr(0, 4), "<svg");
  EXPECT_EQ(svg->substr(svg->size() - 6), "</svg>");
  EXPECT_THAT(*svg, AllOf(HasSubstr("viewBox"), HasSubstr("currentColor"),
                          Not(HasSubstr("<script")), Not(HasSubstr("href=\"http"))));
  Plot empty = small_plot("A");
  empty.series[0].points.clear();
  EXPECT_FALSE(draw_svg(empty, "gnuplot"));
}

TEST(SvgPlot, AShareLeavesNeither0Nor100Behind) {
  for (const auto& [y, beyond] : {std::pair{0.02, "> ?-"}, std::pair{99.9, "> ?1[1-9]0"}}) {
    Plot plot = small_plot("A");
    plot.series[0] = {"", PlotSeries::Style::kMarkedLine, 0, {{.x = 0, .y = y}, {.x = 1, .y = 50}}};
    const std::regex label(beyond);
    EXPECT_TRUE(std::regex_search(*draw_svg(plot, "gnuplot"), label)) << "the test sees nothing";
    plot.percent = true;
    EXPECT_FALSE(std::regex_search(*draw_svg(plot, "gnuplot"), label)) << y;
  }
}

TEST(Gnuplot, AFailingProgramGivesNothing) {
  EXPECT_FALSE(run_gnuplot("no-such-program", "plot x"));
  EXPECT_FALSE(run_gnuplot("false", "plot x"));
  EXPECT_FALSE(run_gnuplot("gnuplot", "this is no command\n"));
  // A program that never reads its input and says a lot neither blocks nor is believed.
  EXPECT_FALSE(run_gnuplot("false", std::string(1 << 20, 'x')));
}

}  // namespace
}  // namespace softcot
