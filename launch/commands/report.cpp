#include "evaluation/report.h"

#include <fmt/format.h>

#include "launch/commands/commands.h"
#include "launch/run_options.h"
#include "launch/standard_output.h"
#include "runtime/atomic_file.h"

namespace softcot {

ExitCode run_report(Invocation& invocation) {
  RunOptions run;
  std::filesystem::path output;
  ReportOptions report;
  int questions = static_cast<int>(report.questions);
  OptionSet options("report", "Show a run as one HTML page: verdict, table, curves, answers.");
  add_run_options(options, run, {"run"});
  options.add_alias("run", "run.folder");
  options.add("output", &output, "The page to write; by default report.html in the run folder.");
  options.add("questions", &questions, "Questions to show with every method's answer.",
              between(0, 1000));
  options.set_notes(
      "The page needs no network and runs nothing. Parts that the run has not made yet are left "
      "out;\n"
      "without the program gnuplot it has tables in the place of pictures. The verdict is "
      "printed.");
  options.add_example("softcot report --run runs/quickstart", "writes runs/quickstart/report.html");
  options.add_example("softcot report --config configs/quickstart.cfg --output page.html",
                      "the run that the file names");
  if (!invocation.read(options)) return ExitCode::kOk;
  if (invocation.rank() != 0) return ExitCode::kOk;

  if (output.empty()) output = run.folder / "report.html";
  report.questions = static_cast<std::size_t>(questions);
  const RunRecord record = read_run(run.folder);
  write_file_atomically(output, render_report(record, report));
  std::string words;
  if (record.comparison) {
    for (const std::string& sentence : verdict_sentences(*record.comparison))
      words += sentence + "\n";
  }
  write_standard_output(words + fmt::format("report: {}\n", output.string()));
  return ExitCode::kOk;
}

}  // namespace softcot
