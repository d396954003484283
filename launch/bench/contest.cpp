#include "launch/bench/contest.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/bench/bench_rows.h"
#include "launch/bench/bench_table.h"
#include "launch/machine/machine_survey.h"
#include "launch/run/run_data.h"
#include "launch/standard_output.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

/// Rows that the longest measurement takes.
constexpr std::int64_t kRows = 64;

std::string machine_words() {
  std::string words;
  for (const Finding& finding : survey_machine()) {
    if (finding.topic != "processor" && finding.topic != "vector instructions") continue;
    words += (words.empty() ? "" : "; ") + finding.value;
  }
  return words;
}

bool failed(const ContestResult& result) {
  const Answers& ours = result.answers[0];
  return std::any_of(ours.begin(), ours.end(), [](const auto& line) { return line.is_null(); });
}

}  // namespace

ExitCode run_contest(const RunOptions& run, const BenchOptions& bench) {
  RunOptions all = run;
  all.data.limit = kRows;
  make_folder(bench.folder);
  const auto rows = bench.folder / "rows.jsonl";
  write_file_atomically(rows, BenchRows::read(all).lines());
  const auto log = bench.folder / "log.txt";
  std::filesystem::remove(log);
  const auto comparisons = plan_contest(run, bench, rows);
  if (comparisons.empty()) {
    fail(ExitCode::kUsage, {.what = "nothing to measure", .where = "bench.parts, bench.dtypes"});
  }
  const auto results = hold_contest(comparisons, bench.repeats, log);

  const BenchSetting setting{
      .machine = machine_words(),
      .workload = fmt::format("{}, assistant {}, {}", run.model.path.filename().string(),
                              assistant_of(run).path.filename().string(), run.data.task),
      .repeats = bench.repeats,
      .version = SOFTCOT_VERSION};
  const std::string table = bench_markdown(setting, results);
  write_file_atomically(bench.folder / "bench.md", table);
  write_file_atomically(bench.folder / "bench.json", bench_json(setting, results).dump(1) + "\n");
  write_standard_output(table);
  if (std::none_of(results.begin(), results.end(), failed)) return ExitCode::kOk;
  log_warning("softcot itself failed in a measurement: {} says why", log.string());
  return ExitCode::kInternal;
}

}  // namespace softcot
