#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "evaluation/generation.h"
#include "launch/commands/commands.h"
#include "launch/json_lines.h"
#include "launch/machine_speed.h"
#include "launch/run_data.h"
#include "launch/run_options.h"
#include "launch/threads.h"
#include "launch/trained_model.h"
#include "model/linear.h"
#include "runtime/error.h"
#include "runtime/log.h"
#include "trainer/metrics.h"
#include "trainer/precompute.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;

struct BenchOptions {
  std::string part = "train";
  std::int64_t rows = 28;        ///< Rows of the data file, the first batch of which warms up.
  std::int64_t new_tokens = 64;  ///< Of each row, in decoding.
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The peer's workload: rows of a data file, the assistant's thoughts, the backbone.
class Bench {
 public:
  Bench(const RunOptions& run, const BenchOptions& options, const ProcessGroups& groups)
      : run_(run),
        options_(options),
        groups_(groups),
        text_(TextModel::open(run.model.path)),
        assistant_text_(TextModel::open(assistant_of(run).path)),
        prompt_(PromptTemplate::load(run.prompts, run.thoughts.prompt)),
        split_(train_split(run.data)),
        assistant_rows_(
            assistant_rows(RowBuilder(assistant_text_.tokenizer, assistant_text_.family, prompt_),
                           split_, run.thoughts.count, run.data)),
        rows_(backbone_rows(RowBuilder(text_.tokenizer, text_.family, prompt_), split_,
                            run.thoughts.count, run.data)
                  .rows) {}

  Json train() {
    const auto thoughts = all_thoughts();
    const Transformer backbone(run_.model.path, run_.model.load, *groups_.tp);
    SoftPromptModel model(backbone, run_.train.work);
    model.share_prefix(shared_prefix(rows_));
    TrainedParts parts;
    parts.projection = Projection::random(thoughts.size(2), backbone.config().hidden, 0);
    AdamW optimizer(parts.parameters(), {}, *groups_.dp, *groups_.tp);
    TrainStep step(model, parts, optimizer, *groups_.dp);
    StepResult total;
    std::vector<double> seconds;
    const auto count = static_cast<std::int64_t>(rows_.size());
    for (std::int64_t at = 0; at + run_.train.batch <= count; at += run_.train.batch) {
      const Slice mine = even_part(run_.train.batch, groups_.dp_index, groups_.mesh.dp());
      std::vector<std::int64_t> lengths;
      for (std::int64_t r = mine.begin; r < mine.end; ++r)
        lengths.push_back(rows_[at + r].length());
      std::vector<TrainBatch> batches;
      for (const Slice& piece : cut_rows(lengths, run_.train.accumulation)) {
        const std::int64_t begin = at + mine.begin + piece.begin;
        TrainBatch batch;
        for (std::int64_t r = begin; r < begin + piece.size(); ++r) {
          batch.rows.push_back(to_soft_row(rows_[r]));
        }
        batch.thoughts = thoughts.narrow(0, begin, piece.size()).flatten(0, 1);
        batches.push_back(std::move(batch));
      }
      groups_.world->barrier();
      const auto start = std::chrono::steady_clock::now();
      const StepResult result = step.run(batches, 2e-5);
      if (at == 0) continue;  // the first step warms up
      seconds.push_back(seconds_since(start));
      total.loss = result.loss;
      total.forward_seconds += result.forward_seconds;
      total.backward_seconds += result.backward_seconds;
      total.reduce_seconds += result.reduce_seconds;
      total.update_seconds += result.update_seconds;
    }
    return {{"rows_per_second", rate(run_.train.batch, seconds)},
            {"step_seconds", spread(seconds)},
            {"steps", seconds.size()},
            {"seconds",
             {{"forward", total.forward_seconds},
              {"backward", total.backward_seconds},
              {"reduce", total.reduce_seconds},
              {"update", total.update_seconds}}},
            {"loss", total.loss},
            {"shared_prefix_tokens", model.shared_tokens()},
            {"weight_bytes", backbone.weight_bytes()}};
  }

  Json precompute() {
    const Transformer assistant = load_assistant();
    const ThoughtReader reader(assistant, assistant_rows_);
    std::vector<double> seconds;
    const auto count = static_cast<std::int64_t>(assistant_rows_.size());
    for (std::int64_t at = 0; at + run_.train.batch <= count; at += run_.train.batch) {
      const auto start = std::chrono::steady_clock::now();
      reader.read(at, at + run_.train.batch);
      if (at > 0) seconds.push_back(seconds_since(start));
    }
    return {{"rows_per_second", rate(run_.train.batch, seconds)},
            {"batch_seconds", spread(seconds)},
            {"batches", seconds.size()}};
  }

  /// The prompts of the first rows, prefill included, as in an evaluation: what all prompts begin
  /// with is computed once and not timed.
  Json decode() {
    const at::NoGradGuard no_grad;
    const auto thoughts = all_thoughts();
    const Transformer backbone(run_.model.path, run_.model.load, *groups_.tp);
    SoftPromptModel model(backbone, run_.train.work);
    model.share_prefix(shared_prefix(rows_));
    const Projection projection = Projection::random(thoughts.size(2), backbone.config().hidden, 0);
    std::vector<GenerationRequest> requests;
    std::int64_t prompt_tokens = 0;
    for (std::int64_t i = 0; i < run_.train.batch; ++i) {
      const auto row = static_cast<std::size_t>(i) % rows_.size();
      GenerationRequest request;
      request.prompt = to_soft_row(rows_[row]);
      request.soft = projection.forward(thoughts[static_cast<std::int64_t>(row)]);
      prompt_tokens += request.prompt.target_begin;
      requests.push_back(std::move(request));
    }
    GenerationOptions options;
    options.max_new_tokens = options_.new_tokens;
    options.rows_in_flight = run_.train.batch;
    constexpr int kTimed = 3;
    std::vector<double> seconds;
    for (int i = 0; i <= kTimed; ++i) {
      const auto start = std::chrono::steady_clock::now();
      generate(model, requests, options, [](std::size_t, const Generation&) {});
      if (i > 0) seconds.push_back(seconds_since(start));
    }
    return {{"tokens_per_second", rate(run_.train.batch * options_.new_tokens, seconds)},
            {"seconds_each", spread(seconds)},
            {"runs", kTimed},
            {"prompt_tokens", prompt_tokens},
            {"shared_prefix_tokens", model.shared_tokens()},
            {"new_tokens", options_.new_tokens},
            {"weight_bytes", backbone.weight_bytes()}};
  }

 private:
  Transformer load_assistant() const {
    const ModelOptions options = assistant_of(run_);
    return {options.path, options.load, *groups_.tp};
  }

  at::Tensor all_thoughts() const {
    const Transformer assistant = load_assistant();
    const ThoughtReader reader(assistant, assistant_rows_);
    return reader.read(0, static_cast<std::int64_t>(assistant_rows_.size()));
  }

  static double rate(std::int64_t pieces, const std::vector<double>& seconds) {
    double total = 0;
    for (const double s : seconds) total += s;
    return static_cast<double>(pieces) * static_cast<double>(seconds.size()) / total;
  }

  static Json spread(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return {
        {"min", seconds.front()}, {"median", seconds[seconds.size() / 2]}, {"max", seconds.back()}};
  }

  const RunOptions& run_;
  const BenchOptions& options_;
  const ProcessGroups& groups_;
  TextModel text_;
  TextModel assistant_text_;
  PromptTemplate prompt_;
  Split split_;
  std::vector<Row> assistant_rows_;
  std::vector<Row> rows_;
};

/// Rows and batch must leave something to time after the warm-up.
void require_timed_rows(const RunOptions& run, const BenchOptions& options) {
  if (options.part == "decode" || options.rows >= 2 * run.train.batch) return;
  fail(ExitCode::kUsage, {.what = "nothing to time after the first batch, which warms up",
                          .where = "bench.rows",
                          .expected = fmt::format("at least {}", 2 * run.train.batch),
                          .got = std::to_string(options.rows)});
}

}  // namespace

ExitCode run_bench(Invocation& invocation) {
  RunOptions run;
  BenchOptions bench;
  OptionSet options("bench", "Measure training, precompute or decoding on real rows.");
  options.add_argument("PART", &bench.part, "What is measured: train, precompute or decode.");
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "prompts"});
  options.add_section("bench", "What is measured.");
  options
      .add("bench.rows", &bench.rows, "Rows of the data file; the first batch warms up.",
           at_least(1))
      .unit = "rows";
  options
      .add("bench.new-tokens", &bench.new_tokens, "Tokens written for each row in decoding.",
           at_least(1))
      .unit = "tokens";
  options.set_notes(
      "Prints one JSON line: rows_per_second or tokens_per_second over all timed steps, seconds "
      "by\n"
      "part, and what the machine reaches in the same run (gemm_flops, memory_bytes_per_second).\n"
      "The assistant is loaded in the backbone's precision unless assistant.dtype says otherwise.");
  options.add_example(
      "softcot bench train --model DIR --data.file train.jsonl --batch 4 --thoughts 32 --dtype "
      "bfloat16",
      "rows a second in training");
  if (!invocation.read(options)) return ExitCode::kOk;
  require_timed_rows(run, bench);
  if (options.origin("assistant.dtype") == "default") {
    run.assistant.load.dtype = run.model.load.dtype;
  }
  run.data.limit = bench.rows;

  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run);
  Bench job(run, bench, groups);
  Json line = {{"bench", bench.part},
               {"dtype", run.model.load.dtype == at::kFloat ? "float32" : "bfloat16"},
               {"batch", run.train.batch},
               {"thoughts", run.thoughts.count},
               {"ranks", world.size()},
               {"tp", run.parallel.tp},
               {"threads", at::get_num_threads()}};
  if (bench.part == "train") {
    line.update(job.train());
  } else if (bench.part == "precompute") {
    line.update(job.precompute());
  } else if (bench.part == "decode") {
    line.update(job.decode());
  } else {
    fail(ExitCode::kUsage, {.what = "unknown part to measure",
                            .where = bench.part,
                            .expected = "train, precompute or decode"});
  }
  line["peak_memory_bytes"] = peak_memory_bytes();
  const MachineSpeed speed = measure_machine_speed(product_dtype(run.model.load.dtype));
  line["gemm_flops"] = speed.gemm_flops;
  line["memory_bytes_per_second"] = speed.memory_bytes;
  if (world.rank() == 0) write_json_line(line);
  return ExitCode::kOk;
}

}  // namespace softcot
