#include "launch/plan/plan_options.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/error.h"

namespace softcot {

void add_plan_options(OptionSet& options, PlanOptions& plan) {
  options.add_section("plan", "The machine that is planned for.");
  options.add(
      "plan.device", &plan.device, "What computes.",
      Choices<Machine::Device>{{"gpu", Machine::Device::kGpu}, {"cpu", Machine::Device::kCpu}});
  options.add("plan.gpus", &plan.ranks, "GPUs of the job, one a rank; with cpu, its ranks.",
              at_least(1));
  options.add("plan.nodes", &plan.nodes,
              "Nodes they lie in, 0 for as few as hold 8 GPUs each (cpu: 1).", at_least(0));
  const auto number = [&](const char* name, double* variable, const char* help, const char* unit) {
    options.add(name, variable, help, at_least(0)).unit = unit;
  };
  number("plan.memory", &plan.memory,
         "Memory of a GPU, or of a CPU node for all its ranks; 0 for 80 (cpu: 24).", "10^9 bytes");
  number("plan.tflops", &plan.tflops,
         "Peak of a GPU, or of a CPU node, in the precision of its products; 0 for an H100's "
         "(bfloat16 989, float32 67; cpu: 0.13).",
         "10^12 operations a second");
  options.add("plan.efficiency", &plan.efficiency,
              "Share of the peak that a step's products reach; 0 for 0.4 (float32 and cpu: 0.7).",
              between(0, 1));
  number("plan.memory-bandwidth", &plan.memory_bandwidth,
         "Of a GPU, or of a CPU node; 0 for 3350 (cpu: 30).", "10^9 bytes a second");
  number("plan.node-bandwidth", &plan.node_bandwidth,
         "Bus bandwidth of an all-reduce within a node; 0 for 370, NVLink (cpu: 2).",
         "10^9 bytes a second");
  number("plan.network-bandwidth", &plan.network_bandwidth,
         "The same between nodes, for each rank; 0 for 45, a 400 Gb/s link a GPU (cpu: 1).",
         "10^9 bytes a second");
  number("plan.node-latency", &plan.node_latency,
         "Of one hop of a collective within a node; 0 for 5 (cpu: 20).", "microseconds");
  number("plan.network-latency", &plan.network_latency,
         "Of one hop between nodes; 0 for 10 (cpu: 50).", "microseconds");
  const auto tokens = [&](const char* name, std::int64_t* variable, const char* help) {
    options.add(name, variable, help, at_least(1)).unit = "tokens";
  };
  tokens("plan.row-tokens", &plan.row_tokens,
         "Mean length of a row, where no data.file is read; the defaults are GSM8K's.");
  tokens("plan.longest-row", &plan.longest_row, "The longest row, likewise.");
  tokens("plan.target-tokens", &plan.target_tokens, "Mean targets of a row, likewise.");
  tokens("plan.shared-tokens", &plan.shared_tokens, "What all rows begin with, likewise.");
  for (const auto& [alias, name] :
       std::vector<std::pair<std::string, std::string>>{{"device", "plan.device"},
                                                        {"gpus", "plan.gpus"},
                                                        {"ranks", "plan.gpus"},
                                                        {"nodes", "plan.nodes"},
                                                        {"gpu-memory", "plan.memory"},
                                                        {"row-tokens", "plan.row-tokens"},
                                                        {"longest-row", "plan.longest-row"}}) {
    options.add_alias(alias, name);
  }
}

Machine machine_of(const PlanOptions& plan, std::int64_t weight_bytes) {
  constexpr int kGpusOfNode = 8;
  Machine machine = default_machine(plan.device, weight_bytes);
  machine.ranks = plan.ranks;
  machine.nodes = plan.nodes;
  if (machine.nodes == 0) {
    machine.nodes =
        machine.on_gpu() && plan.ranks % kGpusOfNode == 0 ? plan.ranks / kGpusOfNode : 1;
  }
  if (machine.ranks % machine.nodes != 0) {
    fail(ExitCode::kUsage, {.what = "nodes would hold different numbers of ranks",
                            .where = "plan.nodes",
                            .expected = fmt::format("a divisor of {}", machine.ranks),
                            .got = std::to_string(machine.nodes)});
  }
  if (plan.nodes == 0 && machine.on_gpu() && machine.ranks > kGpusOfNode && machine.nodes == 1) {
    fail(ExitCode::kUsage, {.what = "so many GPUs do not fill nodes of 8",
                            .where = "plan.gpus",
                            .got = std::to_string(machine.ranks),
                            .fix = "say how many nodes they lie in with --nodes"});
  }
  const auto take = [](double& value, double given, double unit) {
    if (given > 0) value = given * unit;
  };
  take(machine.memory, plan.memory, 1e9);
  take(machine.peak_flops, plan.tflops, 1e12);
  take(machine.efficiency, plan.efficiency, 1);
  take(machine.memory_bandwidth, plan.memory_bandwidth, 1e9);
  take(machine.node_bandwidth, plan.node_bandwidth, 1e9);
  take(machine.network_bandwidth, plan.network_bandwidth, 1e9);
  take(machine.node_latency, plan.node_latency, 1e-6);
  take(machine.network_latency, plan.network_latency, 1e-6);
  return machine;
}

}  // namespace softcot
