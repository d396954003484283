#pragma once

#include <cstdint>

#include "launch/options/option_set.h"
#include "launch/plan/machine.h"

namespace softcot {

/// The machine that is planned for and, where no data are read, its rows, as they are typed.
/// Numbers of the machine that are 0 take the device's default.
struct PlanOptions {
  Machine::Device device = Machine::Device::kGpu;
  int ranks = 8;
  int nodes = 0;
  double memory = 0, tflops = 0, efficiency = 0, memory_bandwidth = 0;
  double node_bandwidth = 0, network_bandwidth = 0, node_latency = 0, network_latency = 0;
  std::int64_t row_tokens = 309, longest_row = 610, target_tokens = 107, shared_tokens = 75;
};

/// Adds the section "plan" and its aliases.
void add_plan_options(OptionSet& options, PlanOptions& plan);

/// The machine, with GPUs that fill nodes of 8 unless the options say how many nodes there are.
/// `weight_bytes` as default_machine. Throws kUsage when nodes would differ in size.
Machine machine_of(const PlanOptions& plan, std::int64_t weight_bytes);

}  // namespace softcot
