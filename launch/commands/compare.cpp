#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "launch/child_command.h"
#include "launch/commands/commands.h"
#include "launch/method.h"
#include "launch/run_folder.h"
#include "launch/run_options.h"
#include "launch/standard_output.h"
#include "launch/suite_table.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "runtime/stop_signal.h"

namespace softcot {
namespace {

struct CompareOptions {
  std::filesystem::path suite;
  std::filesystem::path out;
  int ranks = 1;
  std::string launcher = "mpirun --quiet --oversubscribe --bind-to none -n {ranks}";
  bool dry_run = false;
};

/// One call of a command for a cell.
struct Step {
  std::string command;
  std::filesystem::path config;
  std::vector<std::string> more;
};

/// The cells of a suite and their folders.
class Comparing {
 public:
  Comparing(const Suite& suite, const CompareOptions& options) : suite_(suite), options_(options) {}

  /// Runs what is missing. The exit status of the first cell that failed, or kOk, or kStopped.
  ExitCode run() {
    ExitCode first = ExitCode::kOk;
    Progress progress("compare", suite_.cells.size(), "cells", true);
    for (const SuiteCell& cell : suite_.cells) {
      const int status = done(cell) ? 0 : run_cell(cell);
      if (stop_requested()) {
        log_warning("stopped on request; the same call goes on from here");
        return ExitCode::kStopped;
      }
      if (status != 0 && first == ExitCode::kOk) first = static_cast<ExitCode>(status);
      progress.advance(1, cell.folder());
    }
    progress.finish();
    return first;
  }

  std::string plan() const {
    std::string text;
    for (const SuiteCell& cell : suite_.cells) {
      text += fmt::format("{:<44} {}\n", cell.folder(), done(cell) ? "done" : "to do");
      for (const Step& step : steps_of(cell)) {
        text += fmt::format("    softcot {} --config {}\n", step.command, step.config.string());
      }
    }
    return text;
  }

 private:
  std::filesystem::path folder(const SuiteCell& cell) const { return options_.out / cell.folder(); }

  bool done(const SuiteCell& cell) const { return !missing_cell(cell, options_.out); }

  std::vector<Step> steps_of(const SuiteCell& cell) const {
    const Method& method = method_of(cell.entry.method);
    const auto config = folder(cell) / "cell.cfg";
    std::vector<Step> steps;
    if (method.projection) steps.push_back({"precompute", config, {}});
    if (method.trained()) steps.push_back({"train", config, {"--resume"}});
    steps.push_back({"evaluate", config, {}});
    for (const auto& [task, settings] : cell.transfers) {
      const auto other = transfer_folder(folder(cell), task) / "cell.cfg";
      if (method.projection) steps.push_back({"precompute", other, {}});
      steps.push_back({"evaluate", other, {}});
    }
    return steps;
  }

  void write_configs(const SuiteCell& cell) const {
    const auto write = [](std::map<std::string, std::string> settings,
                          const std::filesystem::path& run) {
      std::filesystem::create_directories(run);
      settings["run.folder"] = run.string();
      write_file_atomically(run / "cell.cfg", config_text(settings));
    };
    write(cell.settings, folder(cell));
    for (const auto& [task, settings] : cell.transfers) {
      auto other = settings;
      other["evaluate.trained"] = folder(cell).string();
      write(other, transfer_folder(folder(cell), task));
    }
  }

  /// So that no figure outlives the settings that made it; samples and checkpoints know their own.
  void forget_results(const SuiteCell& cell) const {
    for (const char* name : {"cell.failed", "cell.done"}) {
      std::filesystem::remove(folder(cell) / name);
    }
    std::filesystem::remove(RunPaths{folder(cell)}.results());
    for (const auto& [task, settings] : cell.transfers) {
      std::filesystem::remove(RunPaths{transfer_folder(folder(cell), task)}.results());
    }
  }

  /// 0, or the status of the step that failed, which is recorded in the cell's folder.
  int run_cell(const SuiteCell& cell) const {
    write_configs(cell);
    const auto log = folder(cell) / "cell.log";
    forget_results(cell);
    for (const Step& step : steps_of(cell)) {
      log_info("{}: {}", cell.folder(), step.command);
      std::vector<std::string> words = launcher();
      words.insert(words.end(), {own_program(), step.command, "--config", step.config});
      words.insert(words.end(), step.more.begin(), step.more.end());
      const auto before = std::filesystem::exists(log) ? std::filesystem::file_size(log) : 0;
      const int status = run_command(words, log, stop_requested);
      if (stop_requested()) return status;
      if (status != 0) {
        const std::string reason = error_line(log, before);
        log_warning("{}: {} failed with status {}: {}", cell.folder(), step.command, status,
                    reason);
        write_file_atomically(folder(cell) / "cell.failed",
                              fmt::format("{} {}\n{}\n", step.command, status, reason));
        return status;
      }
    }
    write_file_atomically(folder(cell) / "cell.done", cell.hash() + "\n");
    return 0;
  }

  std::vector<std::string> launcher() const {
    if (options_.ranks == 1) return {};
    std::vector<std::string> words;
    std::istringstream text(options_.launcher);
    for (std::string word; text >> word;) {
      words.push_back(word == "{ranks}" ? std::to_string(options_.ranks) : word);
    }
    return words;
  }

  /// The last line of a log that tells of an error, after so many bytes of earlier steps.
  static std::string error_line(const std::filesystem::path& log, std::uintmax_t before) {
    std::ifstream file(log);
    file.seekg(static_cast<std::streamoff>(before));
    std::string last = "see " + log.string();
    for (std::string line; std::getline(file, line);) {
      if (line.find("error[") != std::string::npos) last = line;
    }
    return last;
  }

  const Suite& suite_;
  const CompareOptions& options_;
};

/// What was given beside the suite: --config, environment, command line.
std::map<std::string, std::string> given(OptionSet& options) {
  std::map<std::string, std::string> given;
  for (const auto& [name, value] : options.values()) {
    if (options.origin(name) != "default") given[name] = value;
  }
  return given;
}

/// The steps read their cell's settings, and nothing else.
void hide_environment(const OptionSet& options) {
  unsetenv("SOFTCOT_CONFIG");
  for (const Option& option : options.options()) {
    if (!option.section().empty()) unsetenv(option.environment_name().c_str());
  }
}

void save(const Suite& suite, const SuiteTable& table, const std::filesystem::path& folder) {
  write_file_atomically(folder / "result.json", suite_json(suite, table).dump(2) + "\n");
  write_file_atomically(folder / "table.csv", suite_csv(table));
  write_file_atomically(folder / "table.md", suite_markdown(suite, table));
}

}  // namespace

ExitCode run_compare(Invocation& invocation) {
  CompareOptions compare;
  RunOptions shared;
  OptionSet options("compare",
                    "Run a suite of methods, tasks and seeds, and make one table of it.");
  add_run_options(options, shared,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut",
                   "evaluate", "prompts"});
  options.after_read([] {});
  for (const char* name : {"model.path", "data.file"}) options.find(name)->required = false;
  options.add("suite", &compare.suite, "Suite file (docs/comparing.md).").required = true;
  options.add("out", &compare.out, "Where cells and table go; runs/NAME of the suite if empty.");
  options.add("ranks", &compare.ranks, "MPI ranks of each step.", at_least(1)).unit = "ranks";
  options.add("launcher", &compare.launcher,
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
  if (compare.out.empty()) compare.out = std::filesystem::path("runs") / compare.suite.stem();

  const Suite suite = Suite::read(compare.suite, given(options));
  hide_environment(options);
  Comparing comparing(suite, compare);
  if (compare.dry_run) {
    write_standard_output(comparing.plan());
    return ExitCode::kOk;
  }
  const StopSignals signals;
  std::filesystem::create_directories(compare.out);
  const ExitCode status = comparing.run();
  const SuiteTable table = read_suite_table(suite, compare.out);
  save(suite, table, compare.out);
  write_standard_output(format_suite(suite, table) +
                        fmt::format("\nsaved: {}\n", (compare.out / "table.md").string()));
  return status;
}

}  // namespace softcot
