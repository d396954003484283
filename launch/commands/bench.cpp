#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "launch/bench/contest.h"
#include "launch/bench/measure.h"
#include "launch/commands/commands.h"
#include "launch/json_lines.h"
#include "launch/machine/device_memory.h"
#include "launch/machine/machine_speed.h"
#include "launch/machine/threads.h"
#include "launch/standard_output.h"
#include "model/linear.h"
#include "trainer/metrics.h"

namespace softcot {
namespace {

nlohmann::ordered_json measure(const BenchPlace& place) {
  const std::string& part = place.bench.part;
  if (part == "train") return measure_train(place);
  if (part == "precompute") return measure_precompute(place);
  if (part == "decode") return measure_decode(place);
  fail(ExitCode::kUsage, {.what = "unknown part to measure",
                          .where = part,
                          .expected = "train, precompute, decode, all or rows"});
}

/// One measurement of this job, with what the machine reaches right after it.
void measure_here(Invocation& invocation, RunOptions& run, const BenchOptions& bench) {
  ProcessWorld& world = invocation.world();
  const ProcessGroups groups = start_groups(invocation, run);
  const BenchRows rows = BenchRows::read(run);
  nlohmann::ordered_json line = {
      {"bench", bench.part},
      {"device", world.device().is_cpu() ? "cpu" : "cuda"},
      {"dtype", run.model.load.dtype == at::kFloat ? "float32" : "bfloat16"},
      {"batch", run.train.batch},
      {"thoughts", run.thoughts.count},
      {"ranks", world.size()},
      {"tp", run.parallel.tp},
      {"threads", at::get_num_threads()}};
  line.update(measure({run, bench, world, groups, rows}));
  line["peak_memory_bytes"] = peak_memory_bytes();
  const at::Device device = world.device();
  if (!device.is_cpu()) {
    const PeakDeviceMemory peak = peak_device_memory(device);
    line["peak_tensor_bytes"] = peak.tensors;
    line["peak_device_bytes"] = peak.taken;
  }
  const MachineSpeed speed = measure_machine_speed(
      device.is_cpu() ? product_dtype(run.model.load.dtype) : run.model.load.dtype, device);
  const double ranks = world.size();
  line["gemm_flops"] = speed.gemm_flops;
  line["memory_bytes_per_second"] = speed.memory_bytes;
  if (line.contains("necessary_flops_per_second")) {
    line["of_gemm_peak"] =
        line["necessary_flops_per_second"].get<double>() / (ranks * speed.gemm_flops);
  }
  if (line.contains("weight_bytes_per_second")) {
    line["of_memory_bandwidth"] =
        line["weight_bytes_per_second"].get<double>() / (ranks * speed.memory_bytes);
  }
  if (world.rank() == 0) write_json_line(line);
}

}  // namespace

ExitCode run_bench(Invocation& invocation) {
  RunOptions run;
  BenchOptions bench;
  OptionSet options("bench", "Measure training, precompute or decoding on real rows.");
  add_bench_options(options, bench);
  add_run_options(options, run,
                  {"model", "assistant", "parallel", "data", "thoughts", "train", "prompts"});
  options.set_notes(
      "train, precompute and decode print one JSON line: rows_per_second or tokens_per_second, "
      "seconds\n"
      "by part, what the machine reaches in the same run (gemm_flops, memory_bytes_per_second) and "
      "how\n"
      "much of that was used (of_gemm_peak, of_memory_bandwidth; docs/performance.md says what is\n"
      "counted). all makes a table of them, softcot and its peers in turn on the same rows. The "
      "assistant\n"
      "is loaded in the backbone's precision unless assistant.dtype says otherwise.");
  options.add_example(
      "softcot bench train --model DIR --data.file train.jsonl --batch 4 --thoughts 32 --dtype "
      "bfloat16",
      "rows a second in training");
  options.add_example("softcot bench all --peers --model DIR --data.file train.jsonl",
                      "the table of docs/performance.md, beside Transformers and llama.cpp");
  if (!invocation.read(options)) return ExitCode::kOk;
  if (!options.given("assistant.dtype")) {
    run.assistant.load.dtype = run.model.load.dtype;
  }
  run.data.limit = bench.rows;
  if (bench.part == "all") return run_contest(run, bench);
  if (bench.part == "rows") {
    write_standard_output(BenchRows::read(run).lines());
    return ExitCode::kOk;
  }
  measure_here(invocation, run, bench);
  return ExitCode::kOk;
}

}  // namespace softcot
