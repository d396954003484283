#include <fmt/format.h>

#include <fstream>
#include <optional>
#include <string>

#include "evaluation/result_table.h"
#include "launch/commands/commands.h"
#include "launch/machine/threads.h"
#include "launch/run/evaluation_job.h"
#include "launch/run/generation_config.h"
#include "launch/run/restarts.h"
#include "launch/run/run_folder.h"
#include "launch/run/set_aside.h"
#include "launch/standard_output.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

/// What a run made for another task is asked here goes to a folder of its own inside of it.
void settle_transfer(RunOptions& run) {
  const std::string task = task_of_run(run.folder);
  if (!run.evaluate.trained.empty() || task.empty() || task == run.data.task) return;
  run.evaluate.trained = run.folder;
  run.folder = RunPaths{run.folder}.transfer(run.data.task);
  log_info("{} is a run on {}: its results on {} go to {}", run.evaluate.trained.string(), task,
           run.data.task, run.folder.string());
}

/// How far earlier starts have come: whole lines of samples, without each file's first.
std::uint64_t samples_in(const std::filesystem::path& folder) {
  std::uint64_t samples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file = open_regular(entry.path());
    std::string line;
    if (std::getline(file, line)) {
      while (std::getline(file, line) && !file.eof()) ++samples;
    }
  }
  return samples;
}

/// The first so many samples of each question: an earlier evaluation may have wanted more.
std::vector<Sample> first_samples(const std::filesystem::path& file, std::int64_t count) {
  std::vector<Sample> samples = read_samples(file);
  std::erase_if(samples, [&](const Sample& sample) { return sample.sample_index >= count; });
  return samples;
}

}  // namespace

ExitCode run_evaluate(Invocation& invocation) {
  RunOptions run;
  OptionSet options("evaluate", "Compare methods on held-out questions.");
  add_run_options(
      options, run,
      {"model", "assistant", "parallel", "data", "thoughts", "train.method", "train.pack",
       "train.target-logits", "train.shared-prefix", "evaluate", "run.folder", "prompts"});
  options.find("data.file")->required = false;
  options.set_notes(
      "For each method: the likelihood of the reference rationale and answer, and the model's own\n"
      "answers. Samples go to samples/METHOD.jsonl as they come; a stopped evaluation goes on "
      "from\n"
      "them. The table is printed and saved as results.json, results.csv and results.md. A run "
      "that was\n"
      "trained on another task is evaluated in its folder on-TASK.");
  options.add_example("mpirun -n 2 softcot evaluate --config configs/quickstart.cfg",
                      "two ranks share the questions");
  if (!invocation.read(options)) return ExitCode::kOk;
  require_eval(run.data);
  settle_transfer(run);

  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run);
  std::optional<RunFolder> folder;
  if (world.rank() == 0) {
    folder.emplace(run.folder, options, RunFolder::Reuse::kSetAside, "evaluate.cfg");
  }
  groups.world->barrier();

  EvaluationJob job(run, groups);
  if (folder) {
    warn_of_generation_config(run.model.path, run.evaluate.generation.sampling, "evaluate.");
    count_restart(run.folder, "evaluate", [&] { return samples_in(run.folder / "samples"); });
  }
  const auto contestants = all_contestants(run);
  for (const Contestant& contestant : contestants) job.check(contestant);
  if (folder) folder->set_aside(evaluation_files(), run.evaluate.methods);
  std::vector<MethodSamples> samples;
  const RunPaths paths{run.folder};
  for (const Contestant& contestant : contestants) {
    const std::size_t skipped = job.run(contestant);
    if (world.rank() != 0) continue;
    const std::int64_t seeds = contestant.greedy ? 1 : run.evaluate.seeds;
    const std::int64_t each = contestant.greedy ? 1 : run.evaluate.samples;
    samples.push_back({contestant.name,
                       contestant.title,
                       first_samples(paths.samples(contestant.name), seeds * each),
                       static_cast<std::size_t>(seeds),
                       contestant.quirks,
                       contestant.baseline,
                       skipped,
                       {}});
    const auto nll = nll_per_token_of(samples.back().samples);
    if (contestant.method->trained() && nll) samples.back().training_nll = {*nll};
  }
  if (world.rank() != 0) return ExitCode::kOk;
  ComparisonOptions how;
  how.baseline = samples.front().baseline;
  const Comparison comparison = compare_methods(samples, how);
  Provenance provenance = job.provenance();
  provenance.config_hash = fmt::format("{:016x}", options.values_hash());
  folder->save_config();
  write_results(paths.results(), comparison, provenance);
  write_standard_output(format_table(comparison));
  if (!provenance.trained_on.empty() && provenance.trained_on != provenance.task) {
    write_standard_output(fmt::format("Transfer: trained on {}, evaluated on {}.\n",
                                      provenance.trained_on, provenance.task));
  }
  return ExitCode::kOk;
}

}  // namespace softcot
