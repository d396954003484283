#include <optional>

#include "launch/commands/commands.h"
#include "launch/method.h"
#include "launch/open_thoughts.h"
#include "launch/run_data.h"
#include "launch/run_folder.h"
#include "launch/run_options.h"
#include "launch/threads.h"
#include "launch/trained_model.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
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

TrainingRows open_rows(const Sources& from, const Split& split) {
  const Method& method = method_of(from.run.method);
  const std::int64_t count = method.placeholders ? from.run.thoughts.count : 0;
  SplitRows rows = backbone_rows(from.builder, split, count, from.run.data);
  if (!method.projection) return {std::nullopt, rows.rows, ThoughtRows(rows.rows)};
  const auto key =
      thought_key(from.run, from.assistant, from.assistant_hash, from.prompt, split, count);
  auto cache = open_thoughts(from.run, key);
  ThoughtRows thoughts(rows.rows, std::move(rows.records), std::move(cache));
  return {key, std::move(rows.rows), std::move(thoughts)};
}

}  // namespace

ExitCode run_train(Invocation& invocation) {
  RunOptions run;
  OptionSet options("train", "Train a method: SoftCoT's projection, prompt vectors, LoRA.");
  add_run_options(
      options, run,
      {"model", "assistant", "parallel", "data", "thoughts", "train", "lora", "run", "prompts"});
  options.set_notes(
      "Runs alone and under mpirun or srun: ranks = dp × tp. SIGTERM or SIGUSR1 saves a checkpoint "
      "and\n"
      "exits with 75; --resume goes on from there, to the same losses. metrics.jsonl has one line "
      "a step.");
  options.add_example("mpirun -n 2 softcot train --config configs/quickstart.cfg",
                      "two replicas, one rank each");
  options.add_example("mpirun -n 6 softcot train --config my.cfg --parallel.tp 3 --resume",
                      "two replicas of three ranks, going on where the run stopped");
  if (!invocation.read(options)) return ExitCode::kOk;
  const StopSignals signals;

  // 1. Who we are, and a run folder of our own.
  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run.parallel);
  std::optional<RunFolder> folder;
  if (world.rank() == 0) {
    folder.emplace(run.folder, options,
                   run.resume ? RunFolder::Reuse::kAnyConfig : RunFolder::Reuse::kSameConfig);
  }
  groups.world->barrier();
  const RunPaths paths{run.folder};

  // 2. Rows and their cached thoughts.
  const TextModel text = TextModel::open(run.model.path);
  const TextModel assistant = TextModel::open(assistant_of(run).path);
  const auto backbone_hash = model_hash(text.path, *groups.world);
  const auto assistant_hash =
      assistant.path == text.path ? backbone_hash : model_hash(assistant.path, *groups.world);
  const auto prompt = PromptTemplate::load(run.prompts, run.thoughts.prompt);
  const RowBuilder builder(text.tokenizer, text.family, prompt);
  const Sources sources{run, builder, assistant, assistant_hash, prompt};
  TrainingRows train = open_rows(sources, train_split(run.data));
  std::optional<TrainingRows> heldout;
  if (const auto eval = eval_split(run.data)) heldout.emplace(open_rows(sources, *eval));

  // 3. The frozen backbone and what is trained beside it.
  const Transformer backbone(run.model.path, run.model.load, *groups.tp);
  const TrainedParts parts = new_parts(run, backbone, assistant.config.hidden);
  SoftPromptModel model(backbone, run.train.work);
  if (parts.lora) {
    model.set_lora(&*parts.lora);
  } else {
    model.share_prefix(shared_prefix(train.rows));  // nothing in it is trained
  }
  log_info("{}: training {} parameters, {} frozen", method_of(run.method).title,
           parts.parameter_count(), backbone.parameters());
  for (const auto& line : parameter_summary(parts)) log_info("  {}", line);

  // 4. Train.
  TrainLoop loop(model, parts, train.thoughts, heldout ? &heldout->thoughts : nullptr, run.train,
                 groups, {.metrics = paths.metrics(), .checkpoints = paths.checkpoints()},
                 run_identity(run, train.key, prompt, backbone_hash));
  if (run.resume) loop.resume();
  if (folder) folder->save_config();
  if (loop.run(stop_requested) == TrainEnd::kStopped) return ExitCode::kStopped;
  log_info("trained {} steps; next: softcot evaluate --run.folder {}", loop.total(),
           run.folder.string());
  return ExitCode::kOk;
}

}  // namespace softcot
