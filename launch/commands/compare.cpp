#include <fmt/format.h>

#include "launch/commands/commands.h"
#include "launch/run/method.h"
#include "launch/standard_output.h"
#include "launch/sweep/cell_settings.h"
#include "launch/sweep/suite_table.h"
#include "launch/sweep/work_runner.h"
#include "runtime/atomic_file.h"
#include "runtime/sealed_json.h"
#include "runtime/stop_signal.h"

namespace softcot {
namespace {

struct CompareOptions {
  std::filesystem::path suite;
  WorkOptions works;
  bool dry_run = false;
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

std::string plan(const std::vector<Work>& works, const std::filesystem::path& out) {
  std::string text;
  for (const Work& work : works) {
    const auto folder = out / work.name;
    text +=
        fmt::format("{:<44} {}\n", work.name, why_missing(folder, work.hash) ? "to do" : "done");
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
  options.add("dry-run", &compare.dry_run, "Show the cells and their steps, and run nothing.");
  options.set_notes(
      "Call it by itself, not under mpirun: it starts the steps. A cell is one method trained on "
      "one\n"
      "task under one seed, and evaluated; it has a run folder of its own. Called again it runs "
      "only\n"
      "what is missing. A cell that fails is recorded, the others go on, and the exit code is its\n"
      "own. SIGTERM or SIGUSR1 lets a training save, and exits with 75. What is given beside the\n"
      "suite (--model DIR, --evaluate.max-new-tokens 64) goes over what it says, in every cell.");
  options.add_example("softcot compare --suite configs/suites/smollm2.cfg --ranks 2",
                      "all methods on SmolLM2, half an hour on two cores");
  options.add_example(
      "softcot compare --suite configs/suites/paper-gsm8k.cfg --model DIR --assistant DIR",
      "a table of the paper with your models");
  if (!invocation.read(options)) return ExitCode::kOk;
  if (invocation.size() > 1) {
    fail(ExitCode::kUsage, {.what = "compare starts its ranks itself",
                            .where = "mpirun",
                            .fix = "call softcot compare --ranks N without a launcher"});
  }
  auto& out = compare.works.out;
  if (out.empty()) out = std::filesystem::path("runs") / compare.suite.stem();

  const Suite suite = Suite::read(compare.suite, given_settings(options));
  hide_environment(options);
  const std::vector<Work> works = works_of(suite, out);
  if (compare.dry_run) {
    write_standard_output(plan(works, out));
    return ExitCode::kOk;
  }
  const StopSignals signals;
  make_folder(out);
  WorkDisplay display("compare", works, std::vector<double>(works.size(), 1), false, 1);
  const ExitCode status =
      WorkRunner(works, compare.works).run(std::vector<bool>(works.size(), true), display);
  const SuiteTable table = read_suite_table(suite, out);
  save(suite, table, out);
  write_standard_output(format_suite(suite, table) +
                        fmt::format("\nsaved: {}\n", (out / "table.md").string()));
  return status;
}

}  // namespace softcot
