#pragma once

#include <string>
#include <vector>

#include "launch/plan/memory_model.h"
#include "launch/plan/time_model.h"

namespace softcot {

/// One way to cut the ranks, and what it costs.
struct Layout {
  int tp = 1, dp = 1;
  PeakMemory memory;  ///< Of the rank that has the most.
  StepTime time;      ///< Mean over steps.
  bool fits = false;
  double rows_per_second = 0;
};
std::string layout_name(const Layout& layout);  ///< "tp 2 × dp 4"
/// Rows a second with three digits.
std::string speed_text(double rows_per_second);

/// Bytes that one rank may use: its share of the memory, less what a GPU's allocator loses in gaps.
double usable_memory(const Machine& machine);

/// All layouts of the machine's ranks: tp of the legal sizes that divide them (and, in full
/// fine-tuning, the KV heads), smaller ones first. Throws kUsage when there is none.
std::vector<Layout> plan_layouts(const Workload& work, const Machine& machine);

}  // namespace softcot
