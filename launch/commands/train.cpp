#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>

#include "checkpoints/layout.h"
#include "evaluation/work_log.h"
#include "launch/commands/commands.h"
#include "launch/machine/threads.h"
#include "launch/options/run_options.h"
#include "launch/run/method.h"
#include "launch/run/open_thoughts.h"
#include "launch/run/restarts.h"
#include "launch/run/run_data.h"
#include "launch/run/run_folder.h"
#include "launch/run/set_aside.h"
#include "launch/run/trained_model.h"
#include "launch/run/training_stages.h"
#include "runtime/counted.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
#include "runtime/time_limit.h"
#include "trainer/train_loop.h"

namespace softcot {
namespace {

/// Backbone rows of one split and, for methods with an assistant, the thoughts of their cache.
struct TrainingRows {
  std::optional<ThoughtCacheKey> key;
  std::vector<Row> rows;
  ThoughtRows thoughts;
};

/// What rows are made from.
struct Sources {
  const RunOptions& run;
  const RowBuilder& builder;
  const TextModel& assistant;
  const std::string& assistant_hash;
  const PromptTemplate& prompt;
};

TrainingRows open_rows(const Sources& from, const Split& split, std::int64_t stage) {
  const Method& method = method_of(from.run.method);
  if (method.coconut) {
    auto rows =
        latent_rows(from.builder, split, Curriculum(from.run.coconut), stage, from.run.data);
    ThoughtRows thoughts(rows.rows);
    return {std::nullopt, std::move(rows.rows), std::move(thoughts)};
  }
  const std::int64_t count = method.placeholders ? from.run.thoughts.count : 0;
  SplitRows rows = backbone_rows(from.builder, split, count, from.run.data);
  if (!method.projection) return {std::nullopt, rows.rows, ThoughtRows(rows.rows)};
  const auto key =
      thought_key(from.run, from.assistant, from.assistant_hash, from.prompt, split, count);
  auto cache = open_thoughts(from.run, key);
  ThoughtRows thoughts(rows.rows, std::move(rows.records), std::move(cache));
  return {key, std::move(rows.rows), std::move(thoughts)};
}

/// What is trained on, stage by stage; one stage unless the method has a curriculum.
struct StagedRows {
  std::vector<Stage> stages;
  std::deque<TrainingRows> rows;  ///< Of each stage.

  TrainingContents contents() const {
    Hasher hasher;
    for (const TrainingRows& each : rows) hasher.add(content_hash(each.rows));
    return {static_cast<std::int64_t>(rows.front().rows.size()), hasher.hex()};
  }
};

StagedRows open_stages(const Sources& from, const Split& split) {
  StagedRows made;
  if (method_of(from.run.method).coconut) {
    // An epoch goes over all questions: each stage may skip others that are too long.
    made.stages = training_stages(from.run, split, static_cast<std::int64_t>(split.records.size()));
    for (const Stage& stage : made.stages) {
      made.rows.push_back(open_rows(from, split, stage.number));
    }
  } else {
    const auto& rows = made.rows.emplace_back(open_rows(from, split, 0)).rows;
    made.stages = training_stages(from.run, split, static_cast<std::int64_t>(rows.size()));
  }
  return made;
}

/// A training from the start would take away what belongs to the one before.
void require_no_checkpoints(const RunPaths& paths) {
  const auto there = list_checkpoints(paths.checkpoints());
  if (there.empty()) return;
  fail(ExitCode::kUsage, {.what = "a training has been here",
                          .where = paths.folder.string(),
                          .got = fmt::format("checkpoints up to step {}", there.back().step),
                          .fix = "give --resume to go on, or --run.folder another name"});
}

}  // namespace

ExitCode run_train(Invocation& invocation) {
  RunOptions run;
  OptionSet options(
      "train", "Train a method: SoftCoT's projection, prompt vectors, LoRA, Coconut, all weights.");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "coconut",
                   "run", "prompts", "stop"});
  options.set_notes(
      "Runs alone and under mpirun or srun: ranks = dp × tp. SIGTERM, stop.signal, the end of "
      "--max-minutes\n"
      "or of a Slurm job save a checkpoint and exit with 75; --resume goes on from there, to the "
      "same losses.\n"
      "metrics.jsonl has one line a step.");
  options.add_example("mpirun -n 2 softcot train --config configs/quickstart.cfg",
                      "two replicas, one rank each");
  options.add_example("mpirun -n 6 softcot train --config my.cfg --parallel.tp 3 --resume",
                      "two replicas of three ranks, going on where the run stopped");
  if (!invocation.read(options)) return ExitCode::kOk;
  if (method_of(run.method).coconut) run.train.optimizer_reset = run.coconut.optimizer_reset;
  const StopSignals signals{SIGTERM, run.stop.signal};
  TimeLimit limit(run.stop.time, seconds_to_job_end());

  // 1. Who we are, and a run folder of our own.
  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run);
  std::optional<RunFolder> folder;
  if (world.rank() == 0) {
    folder.emplace(run.folder, options,
                   run.resume ? RunFolder::Reuse::kAnyConfig : RunFolder::Reuse::kSameConfig);
  }
  const RunPaths paths{run.folder};
  if (folder && !run.resume) require_no_checkpoints(paths);
  groups.world->barrier();

  // 2. Rows and their cached thoughts.
  const TextModel text = TextModel::open(run.model.path);
  const TextModel assistant = TextModel::open(assistant_of(run).path);
  const auto backbone_hash = model_hash(text.path, *groups.world);
  const auto adapter = initial_adapter(run, text.config, backbone_hash);
  const auto assistant_hash =
      assistant.path == text.path ? backbone_hash : model_hash(assistant.path, *groups.world);
  const auto prompt = PromptTemplate::load(run.prompts, run.thoughts.prompt);
  const RowBuilder builder(text.tokenizer, text.family, prompt, run.data.quirks);
  const RowBuilder heldout_builder(text.tokenizer, text.family, prompt);
  const Sources sources{run, builder, assistant, assistant_hash, prompt};
  const Sources heldout_sources{run, heldout_builder, assistant, assistant_hash, prompt};
  const Split train = train_split(run.data);
  const auto eval = eval_split(run.data);
  StagedRows staged = open_stages(sources, train);
  const TrainingContents contents = staged.contents();
  require_same(*groups.world, contents.hash, "the training rows");
  std::deque<TrainingRows> heldout;
  std::vector<TrainStage> stages;
  for (std::size_t i = 0; i < staged.stages.size(); ++i) {
    const Stage& stage = staged.stages[i];
    stages.push_back({stage, &staged.rows[i].thoughts});
    if (!eval) continue;
    stages.back().heldout =
        &heldout.emplace_back(open_rows(heldout_sources, *eval, stage.number)).thoughts;
  }

  // 3. The frozen backbone and what is trained beside it.
  Transformer backbone(run.model.path, run.model.load, *groups.tp);
  const TrainedParts parts = new_parts(run, backbone, assistant.config.hidden, adapter);
  SoftPromptModel model(backbone, run.train.work);
  if (parts.lora) model.set_lora(&*parts.lora);
  if (!parts.lora && !backbone.trains_weights()) {
    model.share_prefix(shared_prefix(staged.rows.front().rows));  // nothing in it is trained
  }
  log_info("{}: training {} parameters, {} frozen", method_of(run.method).title,
           parts.parameter_count(), backbone.trains_weights() ? 0 : backbone.parameters());
  for (const auto& line : parameter_summary(parts)) log_info("  {}", line);

  // 4. Train.
  TrainLoop loop(model, parts, std::move(stages), run.train, groups,
                 {.metrics = paths.metrics(),
                  .checkpoints = paths.checkpoints(),
                  .tensorboard = run.train.tensorboard ? paths.tensorboard() : ""},
                 run_identity(run, staged.rows.front().key, prompt, text, backbone_hash, contents,
                              staged.stages, adapter));
  if (run.resume) loop.resume();
  if (folder) {
    if (loop.step() == 0) folder->set_aside(training_files(), {run.method});
    count_restart(run.folder, "train", [&] { return static_cast<std::uint64_t>(loop.step()); });
    folder->save_config();
  }
  const std::int64_t first_step = loop.step();
  const auto start = std::chrono::steady_clock::now();
  const TrainEnd end = loop.run([&] { return limit.reached() || stop_requested(); });
  if (folder) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    append_work(paths.work(), {.command = "train",
                               .method = run.method,
                               .seconds = took.count(),
                               .rows = (loop.step() - first_step) * run.train.batch,
                               .ranks = world.size(),
                               .tp = groups.mesh.tp(),
                               .threads = at::get_num_threads(),
                               .device = backbone.device().is_cpu() ? "cpu" : "cuda",
                               .machine = {}});
  }
  if (end == TrainEnd::kStopped) return ExitCode::kStopped;
  log_info("trained {}; next: softcot evaluate --run.folder {} with the same models and data",
           counted(loop.total(), "step"), run.folder.string());
  return ExitCode::kOk;
}

}  // namespace softcot
