#include "launch/plan/layouts.h"

#include <fmt/format.h>

#include <algorithm>

namespace softcot {
namespace {

/// Of a GPU's memory: what its caching allocator cannot hand out again.
constexpr double kGaps = 0.05;
/// Steps, times replicas, whose largest piece stands for all.
constexpr std::int64_t kPlannedShares = 200'000;
/// Steps whose mean time stands for all.
constexpr std::int64_t kTimedSteps = 100;

bool legal(const Workload& work, int tp) {
  return !work.method.full || work.backbone.kv_heads % tp == 0;
}

std::vector<int> tp_sizes(const Workload& work) {
  std::vector<int> sizes;
  for (const int tp : legal_tp_sizes(work.backbone)) {
    if (legal(work, tp)) sizes.push_back(tp);
  }
  return sizes;
}

Layout evaluate(const Workload& work, const Machine& machine, int tp) {
  Layout layout;
  layout.tp = tp;
  layout.dp = machine.ranks / tp;
  StepPieces steps(work, layout.dp);
  StepTime sum;
  std::vector<std::vector<Piece>> all(static_cast<std::size_t>(layout.dp));  // of each replica
  const std::int64_t planned =
      std::min(work.steps, std::max(kTimedSteps, kPlannedShares / layout.dp));
  const std::int64_t timed = std::min(kTimedSteps, planned);
  for (std::int64_t s = 0; s < planned; ++s) {
    const auto replicas = steps.of_step(s);
    for (std::size_t r = 0; r < all.size(); ++r) {
      all[r].insert(all[r].end(), replicas[r].begin(), replicas[r].end());
    }
    if (s >= timed) continue;
    const StepTime time = step_time(work, machine, tp, layout.dp, replicas);
    sum.compute += time.compute;
    sum.tp_sums += time.tp_sums;
    sum.dp_sums += time.dp_sums;
    sum.update += time.update;
  }
  for (const auto& pieces : all) {
    const PeakMemory memory = peak_memory(work, machine.device, tp, layout.dp, pieces);
    if (memory.parts.total() > layout.memory.parts.total()) layout.memory = memory;
  }
  for (double* part : {&sum.compute, &sum.tp_sums, &sum.dp_sums, &sum.update}) {
    *part /= static_cast<double>(timed);
  }
  layout.time = sum;
  layout.fits = static_cast<double>(layout.memory.parts.total()) <= usable_memory(machine);
  layout.rows_per_second = static_cast<double>(work.batch) / sum.total();
  return layout;
}

}  // namespace

std::string layout_name(const Layout& layout) {
  return fmt::format("tp {} × dp {}", layout.tp, layout.dp);
}

std::string speed_text(double rows_per_second) {
  return rows_per_second < 100 ? fmt::format("{:.3g}", rows_per_second)
                               : fmt::format("{:.0f}", rows_per_second);
}

double usable_memory(const Machine& machine) {
  return machine.memory * machine.share() * (machine.on_gpu() ? 1 - kGaps : 1);
}

std::vector<Layout> plan_layouts(const Workload& work, const Machine& machine) {
  std::vector<Layout> layouts;
  for (const int tp : tp_sizes(work)) {
    if (machine.ranks % tp == 0) layouts.push_back(evaluate(work, machine, tp));
  }
  return layouts;
}

}  // namespace softcot
