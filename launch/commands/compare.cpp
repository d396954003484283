#include <fmt/format.h>

#include "launch/commands/commands.h"
#include "launch/run/method.h"
#include "launch/standard_output.h"
#include "launch/sweep/cell_check.h"
#include "launch/sweep/cell_settings.h"
#include "launch/sweep/gpu_slots.h"
#include "launch/sweep/suite_table.h"
#include "launch/sweep/work_runner.h"
#include "runtime/atomic_file.h"
#include "runtime/launcher.h"
#include "runtime/log.h"
#include "runtime/sealed_json.h"
#include "runtime/stop_signal.h"

namespace softcot {
namespace {

struct CompareOptions {
  std::filesystem::path suite;
  WorkOptions works;
  bool dry_run = false;
  bool keep_going = false;
};

std::vector<WorkStep> steps_of(const SuiteCell& cell) {
  const Method& method = method_of(cell.entry.method);
  std::vector<WorkStep> steps;
  if (method.projection) steps.push_back({"precompute", kWorkConfig});
  if (method.trained()) steps.push_back({"train", kWorkConfig, {"--resume"}});
  steps.push_back({"evaluate", kWorkConfig});
  for (const auto& [task, settings] : cell.transfers) {
    const auto other = transfer_folder("", task) / kWorkConfig;
    if (method.projection) steps.push_back({"precompute", other});
    steps.push_back({"evaluate", other});
  }
  return steps;
}

/// The cells in folders below `out`.
std::vector<Work> works_of(const Suite& suite, const std::filesystem::path& out) {
  std::vector<Work> works;
  for (const SuiteCell& cell : suite.cells) {
    Work work{.name = cell.folder(), .hash = cell.hash()};
    const auto folder = out / cell.folder();
    work.configs.emplace_back(kWorkConfig, cell.settings);
    work.configs.back().second["run.folder"] = folder.string();
    for (const auto& [task, settings] : cell.transfers) {
      work.configs.emplace_back(transfer_folder("", task) / kWorkConfig, settings);
      work.configs.back().second["run.folder"] = transfer_folder(folder, task).string();
      work.configs.back().second["evaluate.trained"] = folder.string();
    }
    work.steps = steps_of(cell);
    works.push_back(std::move(work));
  }
  return works;
}

/// What the commands would refuse in the cells that are not done.
void check_cells(CellChecker& checker, const Suite& suite, const std::vector<Work>& works,
                 const std::filesystem::path& out) {
  for (std::size_t i = 0; i < works.size(); ++i) {
    const SuiteCell& cell = suite.cells[i];
    if (!why_missing(out / works[i].name, works[i].hash)) continue;
    const Method& method = method_of(cell.entry.method);
    const auto check = [&](const Settings& settings, bool trains) {
      checker.check(works[i].name, method, trains, *check_cell_settings(settings, trains).run);
    };
    check(cell.settings, cell.trained());
    for (const auto& [task, settings] : cell.transfers) check(settings, false);
  }
}

/// Leaves a mark in the folders of cells that cannot run. False for these.
std::vector<bool> can_run(const CellChecker& checker, const std::vector<Work>& works,
                          const std::filesystem::path& out) {
  std::vector<bool> wanted;
  for (const Work& work : works) {
    const std::vector<CellProblem> problems = checker.problems_of(work.name);
    wanted.push_back(problems.empty());
    if (problems.empty()) continue;
    const CellProblem& first = problems.front();
    make_folder(out / work.name);
    write_failure(out / work.name,
                  {"check", static_cast<int>(first.code), format_error(first.code, first.problem)});
    for (const CellProblem& each : problems) {
      log_warning("{} is not started: {}", work.name, format_error(each.code, each.problem));
    }
  }
  return wanted;
}

std::string plan(const std::vector<Work>& works, const CellChecker& checker,
                 const std::filesystem::path& out) {
  std::string text;
  for (const Work& work : works) {
    const auto folder = out / work.name;
    const auto problems = checker.problems_of(work.name);
    const char* state = !problems.empty()                ? "cannot run"
                        : why_missing(folder, work.hash) ? "to do"
                                                         : "done";
    text += fmt::format("{:<44} {}\n", work.name, state);
    for (const CellProblem& each : problems) {
      text += fmt::format("    {}\n", format_error(each.code, each.problem));
    }
    for (const WorkStep& step : work.steps) {
      text += fmt::format("    softcot {} --config {}\n", step.command,
                          (folder / step.config).string());
    }
  }
  return text;
}

void save(const Suite& suite, const SuiteTable& table, const std::filesystem::path& folder) {
  write_file_atomically(folder / "result.json", seal_json(suite_json(suite, table).dump(2)) + "\n");
  write_file_atomically(folder / "table.csv", suite_csv(table));
  write_file_atomically(folder / "table.md", suite_markdown(suite, table));
}

}  // namespace

ExitCode run_compare(Invocation& invocation) {
  CompareOptions compare;
  OptionSet options("compare",
                    "Run a suite of methods, tasks and seeds, and make one table of it.");
  const auto shared = add_cell_options(options);
  options.add("suite", &compare.suite, "Suite file (docs/comparing.md).").required = true;
  options.add("out", &compare.works.out,
              "Where cells and table go; runs/NAME of the suite if empty.");
  options.add("ranks", &compare.works.ranks, "MPI ranks of each step.", at_least(1)).unit = "ranks";
  options.add("launcher", &compare.works.launcher,
              "What starts a step on several ranks, with {ranks} for their number.");
  options.add("dry-run", &compare.dry_run,
              "Show the cells, their steps and why cells cannot run, and run nothing.");
  options.add("keep-going", &compare.keep_going,
              "Where some cells cannot run, run the others instead of none.");
  options.set_notes(
      "Call it by itself, not under mpirun: it starts the steps. A cell is one method trained on "
      "one\n"
      "task under one seed, and evaluated; it has a run folder of its own. Called again it runs "
      "only\n"
      "what is missing. Cells that cannot run (no such model or data, stages that do not fit) are\n"
      "told before anything starts. A cell that fails is recorded, the others go on, and the exit\n"
      "code is its own. SIGTERM or SIGUSR1 lets a training save, and exits with 75. What is given "
      "beside the\n"
      "suite (--model DIR, --evaluate.max-new-tokens 64) goes over what it says, in every cell.");
  options.add_example("softcot compare --suite configs/suites/smollm2.cfg --ranks 2",
                      "all methods on SmolLM2, half an hour on two cores");
  options.add_example(
      "softcot compare --suite configs/suites/paper-gsm8k.cfg --model DIR --assistant DIR",
      "a table of the paper with your models");
  if (!invocation.read(options)) return ExitCode::kOk;
  if (launcher_job().size > 1) {
    fail(ExitCode::kUsage, {.what = "compare starts its ranks itself",
                            .where = "mpirun",
                            .fix = "call softcot compare --ranks N without a launcher"});
  }
  auto& out = compare.works.out;
  if (out.empty()) out = std::filesystem::path("runs") / compare.suite.stem();

  const Suite suite = Suite::read(compare.suite, given_settings(options));
  hide_environment(options);
  leave_job();
  const std::vector<Work> works = works_of(suite, out);
  CellChecker checker(compare.works.ranks);
  check_cells(checker, suite, works, out);
  if (compare.dry_run) write_standard_output(plan(works, checker, out));
  if (!compare.dry_run && !compare.keep_going && !checker.problems().empty()) {
    log_warning("nothing is started; --keep-going runs the cells that can run");
  }
  if (compare.dry_run || !compare.keep_going) throw_any(checker.problems());
  if (compare.dry_run) return ExitCode::kOk;
  compare.works.gpus = gpus_of_slots(works, compare.works, {});
  const StopSignals signals;
  make_folder(out);
  const std::vector<bool> wanted = can_run(checker, works, out);
  WorkDisplay display("compare", works, std::vector<double>(works.size(), 1), false, 1);
  ExitCode status = WorkRunner(works, compare.works).run(wanted, display);
  if (status == ExitCode::kOk && !checker.problems().empty()) {
    status = checker.problems().front().code;
  }
  const SuiteTable table = read_suite_table(suite, out);
  save(suite, table, out);
  write_standard_output(format_suite(suite, table) +
                        fmt::format("\nsaved: {}\n", (out / "table.md").string()));
  return status;
}

}  // namespace softcot
