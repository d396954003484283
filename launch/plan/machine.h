#pragma once

#include <cstdint>

namespace softcot {

/// The ranks of a job and what they run on. On GPUs every rank has one of its own, and memory, peak
/// and memory bandwidth are those of one GPU; on CPUs they are those of a node, which its ranks
/// share evenly.
struct Machine {
  enum class Device { kGpu, kCpu };
  Device device = Device::kGpu;
  int ranks = 1;
  int nodes = 1;               ///< Divides `ranks`.
  double memory = 80e9;        ///< Bytes.
  double peak_flops = 989e12;  ///< Floating-point operations a second, in the dtype of products.
  double efficiency = 0.4;     ///< Share of the peak that the matrix products of a step reach.
  double memory_bandwidth = 3.35e12;  ///< Bytes a second.
  double node_bandwidth = 370e9;      ///< Bus bandwidth of an all-reduce within a node, bytes/s.
  double network_bandwidth = 45e9;    ///< The same between nodes, for each rank.
  double node_latency = 5e-6;         ///< Seconds of one hop of a collective within a node,
  double network_latency = 10e-6;     ///< and between nodes.

  int ranks_per_node() const { return ranks / nodes; }
  bool on_gpu() const { return device == Device::kGpu; }
  /// Share of the memory or speed above that one rank has.
  double share() const { return on_gpu() ? 1.0 : 1.0 / ranks_per_node(); }
};

/// One H100 SXM a rank and what docs/scaling.md says of its links, or the two-core machine of
/// docs/performance.md. `weight_bytes` (2 or 4) decides which products are made.
Machine default_machine(Machine::Device device, std::int64_t weight_bytes);

}  // namespace softcot
