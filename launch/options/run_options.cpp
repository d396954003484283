#include "launch/options/run_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "data/benchmark.h"
#include "launch/options/sampling.h"
#include "launch/options/training_options.h"
#include "launch/run/method.h"
#include "launch/run/peft_adapter.h"
#include "runtime/error.h"

namespace softcot {
namespace {

const Choices<at::ScalarType>& precisions() {
  static const Choices<at::ScalarType> choices = {{"float32", at::kFloat},
                                                  {"bfloat16", at::kBFloat16}};
  return choices;
}

void add_models(OptionSet& options, RunOptions& run) {
  options.add("model.path", &run.model.path, "Backbone: a Hugging Face folder.").required = true;
  options.add("model.dtype", &run.model.load.dtype, "Precision of the backbone's weights.",
              precisions());
  options.add("assistant.path", &run.assistant.path,
              "Assistant: a Hugging Face folder; empty for the backbone's.");
  options
      .add("assistant.layers", &run.assistant.load.layers,
           "Use only the assistant's first layers, 0 for all.", between(0, 65536))
      .unit = "layers";
  options.add("assistant.dtype", &run.assistant.load.dtype, "Precision of the assistant's weights.",
              precisions());
}

void add_parallel(OptionSet& options, ParallelOptions& parallel, std::int64_t& check_every) {
  options
      .add("parallel.tp", &parallel.tp,
           "Ranks that share one copy of a model; the others of the job make further copies "
           "(dp = ranks / tp).",
           at_least(1))
      .unit = "ranks";
  options
      .add("parallel.timeout-seconds", &parallel.timeout_seconds,
           "How long a rank waits for the others before it calls them lost.", above(0))
      .unit = "seconds";
  options
      .add("parallel.check-every", &check_every,
           "Steps of a training between comparisons, bit by bit, of what ranks must hold alike; "
           "each "
           "checkpoint is preceded by one. 0 for none.",
           at_least(0))
      .unit = "steps";
  options.add(
      "parallel.device", &parallel.device,
      "What ranks compute on: auto takes GPUs, one per rank, where this build can use them, "
      "and CPUs where no rank sees one.",
      Choices<DeviceChoice>{{"auto", DeviceChoice::kAuto},
                            {"cpu", DeviceChoice::kCpu},
                            {"cuda", DeviceChoice::kCuda}});
  options.add(
      "parallel.transport", &parallel.transport,
      "What tensors travel through between ranks: auto takes nccl for GPUs, mpi for CPUs.",
      Choices<Transport>{
          {"auto", Transport::kAuto}, {"mpi", Transport::kMpi}, {"nccl", Transport::kNccl}});
  options.add("parallel.flight-records", &parallel.flight_records,
              "With nccl: folder, seen by all ranks, in which each writes what it called last, so "
              "that an error can name the missing ones; empty for flight/ in run.folder.");
}

void add_data(OptionSet& options, DataOptions& data) {
  std::string tasks;
  for (const Benchmark& benchmark : benchmarks()) {
    tasks += fmt::format("{}{}", tasks.empty() ? "" : ", ", benchmark.name);
  }
  options.add("data.task", &data.task, "Benchmark, which names the file's format: " + tasks + ".");
  options.add("data.file", &data.file, "Questions to train on.").required = true;
  options.add(
      "data.train-share", &data.train_share,
      "Share of the file's questions, from its start, to train on; the others are held out. "
      "1 for all of them.",
      above_up_to(0, 1));
  options.add("data.offset", &data.offset, "Questions left out at the file's start.", at_least(0))
      .unit = "questions";
  options.add("data.limit", &data.limit, "Questions used of the file, 0 for all.", at_least(0))
      .unit = "questions";
  options.add("data.eval-file", &data.eval_file,
              "Held-out questions; empty for those that train-share leaves, if any.");
  options
      .add("data.eval-offset", &data.eval_offset,
           "Questions left out at the held-out file's start.", at_least(0))
      .unit = "questions";
  options
      .add("data.eval-limit", &data.eval_limit, "Questions used of the held-out file, 0 for all.",
           at_least(0))
      .unit = "questions";
  options.add("data.max-length", &data.max_length, "Longest row that is accepted.", at_least(1))
      .unit = "tokens";
  options.add("data.on-long-row", &data.on_long_row, "What to do with a longer one.",
              Choices<OnLongRow>{{"fail", OnLongRow::kFail}, {"skip", OnLongRow::kSkip}});
}

void add_thoughts(OptionSet& options, ThoughtOptions& thoughts) {
  options
      .add("thoughts.count", &thoughts.count, "Soft thoughts of a question (N).", between(1, 65536))
      .unit = "thoughts";
  options
      .add("thoughts.eval-count", &thoughts.eval_count,
           "Soft thoughts in evaluation, 0 for as many as in training.", between(0, 65536))
      .unit = "thoughts";
  options.add("thoughts.prompt", &thoughts.prompt,
              "Whether the assistant is told N (as in the paper); uncounted lets one cache serve "
              "every smaller N.",
              Choices<ThoughtPrompt>{{"counted", ThoughtPrompt::kCounted},
                                     {"uncounted", ThoughtPrompt::kUncounted}});
  options.add("thoughts.cache", &thoughts.cache, "Folder of the thought caches.");
  options.add("thoughts.written-temperature", &thoughts.written_temperature,
              "Where the assistant writes its thoughts down (zero_shot_assist_cot): 0 always takes "
              "the likeliest token.",
              between(0, 100));
  options.add("thoughts.stored", &thoughts.stored, "Precision of the thoughts in the cache.",
              Choices<ThoughtType>{{"float32", ThoughtType::kFloat32},
                                   {"bfloat16", ThoughtType::kBfloat16}});
}

void add_evaluate(OptionSet& options, EvaluateOptions& evaluate) {
  GenerationOptions& generation = evaluate.generation;
  options.add("evaluate.methods", &evaluate.methods,
              fmt::format("What is compared, of {}; empty for zero_shot_cot and train.method.",
                          fmt::join(method_names(/*trained_only=*/false), ", ")));
  options.add(
      "evaluate.trained", &evaluate.trained,
      "Run whose training is evaluated, run.folder if empty: so that what was trained on one "
      "task is tested on another, in a folder of its own. Or a PEFT adapter folder, for lora.");
  options.add("evaluate.max-new-tokens", &generation.max_new_tokens, "Longest answer.", at_least(1))
      .unit = "tokens";
  add_sampling(options, "evaluate.", generation.sampling);
  options.add("evaluate.batch", &generation.rows_in_flight, "Answers written at once.", at_least(1))
      .unit = "rows";
  options.add("evaluate.also-greedy", &evaluate.also_greedy,
              "Methods that also answer at temperature 0, in a line of their own.");
  options.add(
      "evaluate.compat", &evaluate.compat,
      "Habits of the paper's code to answer and score with (docs/compat.md): strict has none "
      "of them, reference those of its task; strict,reference shows each method both ways.",
      quirk_choices<ScoringQuirks>());
  options.add("evaluate.seed", &evaluate.seed, "Decides every sampled token.", any_number());
  options
      .add("evaluate.seeds", &evaluate.seeds,
           "So many seeds, from evaluate.seed on; accuracy comes with its spread over them.",
           at_least(1))
      .unit = "seeds";
  options.add("evaluate.every-stage", &evaluate.every_stage,
              "Coconut as it was after each of its stages.");
  options
      .add("evaluate.samples", &evaluate.samples,
           "Answers for each question under each seed; with several, votes among them are shown.",
           at_least(1))
      .unit = "answers";
}

void add_stop(OptionSet& options, StopOptions& stop) {
  options
      .add("stop.max-minutes", &stop.time.max_minutes,
           "Stop with a checkpoint so as to be done after this time, 0 for no limit. The last "
           "steps' length is allowed for.",
           at_least(0.0))
      .unit = "minutes";
  options
      .add("stop.margin-seconds", &stop.time.margin_seconds,
           "In a Slurm job: least time before its end (SLURM_JOB_END_TIME) at which to stop with a "
           "checkpoint.",
           at_least(0.0))
      .unit = "seconds";
  options.add("stop.signal", &stop.signal, "Signal that asks for a stop, as SIGTERM does.",
              Choices<int>{{"usr1", SIGUSR1}, {"usr2", SIGUSR2}});
}

/// Fills in what depends on the task, and refuses what contradicts itself.
void settle_run_options(RunOptions& run) {
  if (!method_of(run.method).trained()) {
    fail(ExitCode::kUsage, {.what = "nothing is trained in this method",
                            .where = "train.method",
                            .expected = fmt::format(
                                "one of {}", fmt::join(method_names(/*trained_only=*/true), ", ")),
                            .got = run.method});
  }
  if (run.evaluate.methods.empty()) run.evaluate.methods = {"zero_shot_cot", run.method};
  for (const auto* names : {&run.evaluate.methods, &run.evaluate.also_greedy}) {
    for (const std::string& name : *names) method_of(name);  // An unknown one names its nearest.
  }
  const auto& compat = run.compat;
  if (compat.size() > 1 && std::find(compat.begin(), compat.end(), "strict") != compat.end()) {
    fail(ExitCode::kUsage, {.what = "training is strict or it is not",
                            .where = "train.compat",
                            .fix = "name strict alone, or leave it out"});
  }
  run.data.quirks = quirks_of<TrainingQuirks>(compat, run.data.task);
  const Benchmark& benchmark = benchmark_of(run.data.task);
  if (run.prompts.empty()) {
    run.prompts = std::filesystem::path("configs/prompts") / benchmark.prompts;
  }
  if (!run.data.eval_file.empty() && run.data.train_share < 1) {
    fail(ExitCode::kUsage, {.what = "two sources of held-out questions",
                            .where = "data.eval-file, data.train-share",
                            .fix = "leave out one of them"});
  }
}

}  // namespace

void add_run_options(OptionSet& options, RunOptions& run, const std::vector<std::string>& used) {
  options.add_section("model", "The frozen backbone that answers.");
  options.add_section("assistant", "The frozen model whose states become soft thoughts.");
  options.add_section("parallel", "How the ranks of a job share the work.");
  options.add_section("data", "Questions.");
  options.add_section("thoughts", "Soft thoughts and their cache.");
  options.add_section("train", "What is trained, and how.");
  options.add_section("lora", "How methods with LoRA change the backbone's matrices.");
  options.add_section("coconut", "The curriculum of Coconut.");
  options.add_section("evaluate", "How answers are written and compared.");
  options.add_section("run", "Where results go.");
  options.add_section("prompts", "The words around a question.");
  options.add_section("stop", "When to stop with a checkpoint, to be gone on with --resume.");
  const std::size_t others = options.options().size();
  add_models(options, run);
  add_parallel(options, run.parallel, run.train.check_replicas_every);
  add_data(options, run.data);
  add_thoughts(options, run.thoughts);
  add_train(options, run);
  add_lora(options, run.lora);
  add_coconut(options, run.coconut);
  add_evaluate(options, run.evaluate);
  add_stop(options, run.stop);
  options.add("run.folder", &run.folder, "Run folder; made when it is missing.").required = true;
  options.add("run.resume", &run.resume, "Go on from the run folder's newest checkpoint.");
  options.add("prompts.file", &run.prompts,
              "Prompt file (docs/prompts.md); empty for the task's own of configs/prompts.");
  const auto named = [&used](const std::string& name) {
    return std::find(used.begin(), used.end(), name) != used.end();
  };
  for (std::size_t i = others; i < options.options().size(); ++i) {
    Option& option = *options.find(options.options()[i].name);
    option.used = named(option.section()) || named(option.name);
  }
  for (const std::string& name : used) {
    const auto is_it = [&](const Option& option) {
      return option.section() == name || option.name == name;
    };
    if (std::none_of(options.options().begin(), options.options().end(), is_it)) {
      throw std::logic_error("no such section or option: " + name);
    }
  }
  for (const Method& method : methods()) {
    for (const auto& [name, value] : method.defaults) {
      options.find(name)->other_defaults += fmt::format(", {} for {}", value, method.name);
    }
  }
  options.after_read([&options, &run, lora = named("lora")] {
    settle_run_options(run);
    for (const auto& [name, value] : method_of(run.method).defaults) {
      options.set_default(name, value, "default of " + run.method);
    }
    if (lora && method_of(run.method).lora) settle_adapter(options, run.lora);
  });

  const std::vector<std::pair<std::string, std::string>> aliases = {
      {"model", "model.path"},        {"assistant", "assistant.path"},
      {"dtype", "model.dtype"},       {"batch", "train.batch"},
      {"thoughts", "thoughts.count"}, {"max-new-tokens", "evaluate.max-new-tokens"},
      {"resume", "run.resume"},       {"task", "data.task"},
      {"method", "train.method"},     {"max-minutes", "stop.max-minutes"}};
  for (const auto& [alias, name] : aliases) {
    options.add_alias(alias, name);
  }
}

}  // namespace softcot
