#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>

#include "launch/bench/bench_clock.h"
#include "launch/bench/measure.h"
#include "launch/bench/necessary_flops.h"
#include "launch/run/trained_model.h"
#include "runtime/error.h"
#include "runtime/stopwatch.h"
#include "trainer/metrics.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

/// This replica's share of the rows [begin, begin + batch), in the pieces that training cuts.
std::vector<TrainBatch> share_of(const BenchPlace& place, std::int64_t begin,
                                 const at::Tensor& thoughts) {
  const Slice mine =
      even_part(place.run.train.batch, place.groups.dp_index, place.groups.mesh.dp());
  std::vector<std::int64_t> lengths;
  for (std::int64_t r = mine.begin; r < mine.end; ++r) {
    lengths.push_back(place.rows.backbone[begin + r].length());
  }
  std::vector<TrainBatch> batches;
  for (const Slice& piece : cut_rows(lengths, place.run.train.accumulation,
                                     default_tokens_in_flight(place.world.device().is_cpu()))) {
    const std::int64_t first = begin + mine.begin + piece.begin;
    TrainBatch batch;
    for (std::int64_t r = first; r < first + piece.size(); ++r) {
      batch.rows.push_back(to_soft_row(place.rows.backbone[r]));
    }
    batch.thoughts = thoughts.narrow(0, first, piece.size()).flatten(0, 1);
    batches.push_back(std::move(batch));
  }
  return batches;
}

/// The rows hold SoftCoT's placeholders, and its projection is what is trained.
void require_softcot(const std::string& method) {
  if (method == "softcot") return;
  fail(ExitCode::kUsage, {.what = "bench measures the training of softcot alone",
                          .where = "train.method",
                          .expected = "softcot",
                          .got = method});
}

/// Rows and batch must leave something to time after the warm-up.
void require_timed_rows(std::int64_t rows, std::int64_t batch, const BenchOptions& bench) {
  const std::int64_t least = (bench.steps > 0 ? 1 : 2) * batch;
  if (rows >= least) return;
  fail(ExitCode::kUsage, {.what = "nothing to time after the first batch, which warms up",
                          .where = "bench.rows and the questions of data.file",
                          .expected = fmt::format("at least {}", least),
                          .got = std::to_string(rows)});
}

}  // namespace

nlohmann::ordered_json measure_train(const BenchPlace& place) {
  const auto& rows = place.rows.backbone;
  const std::int64_t size = place.run.train.batch;
  require_softcot(place.run.method);
  require_timed_rows(static_cast<std::int64_t>(rows.size()), size, place.bench);
  const std::int64_t width = place.rows.assistant_text.config.hidden;
  // The same on all ranks: those of one replica compute with the same rows.
  const auto thoughts =
      at::randn({static_cast<std::int64_t>(rows.size()), place.run.thoughts.count, width},
                at::make_generator<at::CPUGeneratorImpl>(0));
  Transformer backbone(place.run.model.path, place.run.model.load, *place.groups.tp);
  const TrainedParts parts = new_parts(place.run, backbone, width);
  SoftPromptModel model(backbone, place.run.train.work);
  model.share_prefix(shared_prefix(rows));
  AdamW optimizer(parts.parameters(), place.run.train.optimizer, *place.groups.dp,
                  *place.groups.tp);
  TrainStep step(model, parts, optimizer, *place.groups.dp);

  const std::int64_t batches = static_cast<std::int64_t>(rows.size()) / size;
  const std::int64_t steps = place.bench.steps > 0 ? place.bench.steps : batches - 1;
  const double started = process_seconds();
  StepResult total;
  std::vector<double> seconds;
  double flops = 0;
  std::int64_t memory_of_all_rows = 0;
  for (std::int64_t s = 0; s <= steps; ++s) {
    const std::int64_t begin = s % batches * size;
    const auto mine = share_of(place, begin, thoughts);
    place.groups.world->barrier();
    Stopwatch clock;
    const StepResult result = step.run(mine, 2e-5);
    const double taken = clock.lap();
    if (s + 1 == batches) memory_of_all_rows = peak_memory_bytes();
    if (s == 0) continue;  // It warms up.
    seconds.push_back(taken);
    flops += necessary_train_flops(backbone.config(), model.shared_tokens(),
                                   {rows.begin() + begin, rows.begin() + begin + size});
    total.loss = result.loss;
    total.forward_seconds += result.forward_seconds;
    total.backward_seconds += result.backward_seconds;
    total.reduce_seconds += result.reduce_seconds;
    total.update_seconds += result.update_seconds;
  }
  const double all = sum_of(seconds);
  nlohmann::ordered_json line = {{"rows_per_second", static_cast<double>(size * steps) / all},
                                 {"step_seconds", spread_of(seconds)},
                                 {"steps", steps},
                                 {"seconds",
                                  {{"forward", total.forward_seconds},
                                   {"backward", total.backward_seconds},
                                   {"reduce", total.reduce_seconds},
                                   {"update", total.update_seconds}}},
                                 {"loss", total.loss},
                                 {"start_seconds", started},
                                 {"shared_prefix_tokens", model.shared_tokens()},
                                 {"weight_bytes", backbone.weight_bytes()},
                                 {"necessary_flops_per_second", flops / all}};
  // By how much the peak rose once every batch had been seen.
  if (steps >= batches) line["memory_growth_bytes"] = peak_memory_bytes() - memory_of_all_rows;
  return line;
}

}  // namespace softcot
