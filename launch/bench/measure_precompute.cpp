#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "launch/bench/bench_clock.h"
#include "launch/bench/measure.h"
#include "launch/bench/necessary_flops.h"
#include "runtime/communicator.h"
#include "runtime/stopwatch.h"
#include "trainer/precompute.h"

namespace softcot {

nlohmann::ordered_json measure_precompute(const BenchPlace& place) {
  const RunOptions& run = place.run;
  const BenchRows& rows = place.rows;
  Communicator& world = *place.groups.world;
  const ModelOptions options = assistant_of(run);
  const Transformer assistant(options.path, options.load, *place.groups.tp);
  const ThoughtReader reader(assistant, rows.assistant);
  const double started = process_seconds();
  const auto count = static_cast<std::int64_t>(rows.assistant.size());
  reader.read(0, std::min(count, run.train.batch));  // It warms up.

  const auto key =
      thought_key(run, rows.assistant_text, "bench", rows.prompt, rows.split, run.thoughts.count);
  const auto folder =
      run.thoughts.cache / broadcast_bytes(world, fmt::format("bench-{}", getpid()), 0);
  std::optional<CacheLock> lock;
  if (world.rank() == 0) lock.emplace(folder);
  world.barrier();
  const ThoughtCacheWriter writer(folder, key);
  std::vector<std::int64_t> blocks(static_cast<std::size_t>(writer.layout().block_count()));
  std::iota(blocks.begin(), blocks.end(), 0);
  Stopwatch clock;
  const FillSeconds filled = fill_thought_cache(reader, rows.assistant, writer, blocks, place.world,
                                                place.groups, [](std::int64_t) {});
  if (lock) writer.finish(*lock);
  const double all = clock.lap();
  if (lock) std::filesystem::remove_all(folder);
  // Blocks go to whoever is free: of the time of all ranks.
  const double writing = reduce_scalar(world, filled.writing, ReduceOp::kSum) / world.size();
  const double flops = necessary_precompute_flops(
      assistant.config(), longest_common_prefix(rows.assistant), rows.assistant);
  return {{"rows_per_second", static_cast<double>(count) / all},
          {"rows", count},
          {"writing_share", writing / all},
          {"start_seconds", started},
          {"weight_bytes", assistant.weight_bytes()},
          {"necessary_flops_per_second", flops / all}};
}

}  // namespace softcot
