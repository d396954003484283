#include "evaluation/report.h"

#include <fmt/format.h>

#include "evaluation/study_page.h"
#include "launch/commands/commands.h"
#include "launch/options/run_options.h"
#include "launch/run/output_claim.h"
#include "launch/standard_output.h"
#include "launch/study/study_reader.h"
#include "runtime/atomic_file.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

constexpr int kQuestionsOfRun = 6;
constexpr int kQuestionsOfStudy = 200;

void report_run(const std::filesystem::path& folder, std::filesystem::path output, int questions) {
  if (output.empty()) output = folder / "report.html";
  const RunRecord record = read_run(folder);
  if (claimed_by_another_rank(output)) return;
  ReportOptions options;
  options.questions = static_cast<std::size_t>(questions);
  write_file_atomically(output, render_report(record, options));
  std::string words;
  if (record.comparison) {
    for (const std::string& sentence : verdict_sentences(*record.comparison))
      words += sentence + "\n";
  }
  write_standard_output(words + fmt::format("report: {}\n", output.string()));
}

void report_study(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& out,
                  int questions) {
  const auto claim = OutputClaim::in_folder(out);
  if (!claim) return;
  const Study study = read_study(runs);
  write_file_atomically(out / "samples.html",
                        samples_page(study, static_cast<std::size_t>(questions)));
  write_file_atomically(out / "report.md", study_markdown(study));
  write_file_atomically(out / "report.csv", study_csv(study));
  write_file_atomically(out / "report.tex", study_latex(study));
  write_file_atomically(out / "report.html", study_page(study, "gnuplot"));
  write_standard_output(fmt::format(
      "{}, {}, {} left out or noted\nreport: {}\n", counted(study.runs.size(), "run"),
      counted(study.lines.size(), "line"), study.left_out.size(), (out / "report.html").string()));
}

}  // namespace

ExitCode run_report(Invocation& invocation) {
  RunOptions run;
  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;
  std::filesystem::path output;
  int questions = kQuestionsOfStudy;
  OptionSet options("report", "Show runs as one page with their tables, or one run by itself.");
  add_run_options(options, run, {"run.folder"});
  options.find("run.folder")->required = false;
  options.after_read([] {});
  options.add_alias("run", "run.folder");
  options.add_arguments(
      "RUNS", &runs, "Evaluated run folders, OUT folders of compare or of sweep, in any number.");
  options.add("out", &out,
              "Folder for the report of RUNS: report.html, .md, .csv, .tex, samples.html.");
  options.add("output", &output, "The page of --run; by default report.html in the run folder.");
  options.add(
      "questions", &questions,
      "Questions of each task on the page of samples, evenly spaced, 0 for all; on the page "
      "of --run, 6 unless given.",
      at_least(0));
  options.set_notes(
      "The pages need no network and hold no time: the same runs make the same bytes. Runs that "
      "differ\n"
      "in seeds alone are one line. A run that is unfinished, unreadable or of another version is "
      "left\n"
      "out and named; one whose results do not match its settings is marked and never mixed with "
      "others.\n"
      "Without the program gnuplot there are tables in the place of pictures.");
  options.add_example("softcot report runs/smollm2 --out reports/smollm2",
                      "all that a suite made, with what each number was made from");
  options.add_example("softcot report runs/n4 runs/n8 runs/n16 --out reports/thoughts",
                      "single runs side by side");
  options.add_example("softcot report --run runs/quickstart", "writes runs/quickstart/report.html");
  if (!invocation.read(options)) return ExitCode::kOk;

  const bool one_run =
      options.origin("run.folder") == "command line" || (runs.empty() && !run.folder.empty());
  if (runs.empty() != one_run) {
    fail(ExitCode::kUsage, {.what = one_run ? "two kinds of report at once" : "nothing to report",
                            .where = "softcot report",
                            .expected = "either RUNS and --out, or --run"});
  }
  if (!runs.empty() && out.empty()) {
    fail(ExitCode::kUsage, {.what = "option is missing",
                            .where = "--out",
                            .fix = "name a folder for the report: softcot report RUNS --out DIR"});
  }
  if (runs.empty()) {
    const bool given = options.given("questions");
    report_run(run.folder, output, given ? questions : kQuestionsOfRun);
  } else {
    report_study(runs, out, questions);
  }
  return ExitCode::kOk;
}

}  // namespace softcot
