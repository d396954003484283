#include "launch/plan/layouts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/error.h"

namespace softcot {
namespace {

/// Of a GPU's memory: what its caching allocator cannot hand out again.
constexpr double kGaps = 0.05;
/// Layouts whose speeds differ by less are alike.
constexpr double kAlike = 0.01;
/// Steps whose largest piece and whose mean time stand for all.
constexpr std::int64_t kPlannedSteps = 20'000;
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
  const std::int64_t planned = std::min(kPlannedSteps, work.steps);
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

std::string gigabytes(double bytes) { return fmt::format("{:.1f} GB", bytes / 1e9); }

std::string name_of(const Layout& layout) {
  return fmt::format("tp {} × dp {}", layout.tp, layout.dp);
}

bool fits_somehow(const Workload& work, const Machine& machine) {
  const auto layouts = plan_layouts(work, machine);
  return std::any_of(layouts.begin(), layouts.end(), [](const Layout& l) { return l.fits; });
}

/// Changes that would make a layout fit, each alone.
std::string remedies(const Workload& work, const Machine& machine, double lacking) {
  std::vector<std::string> found;
  const std::string memory_of = machine.on_gpu() ? "a GPU" : "a node";
  const double more = lacking / machine.share() / (machine.on_gpu() ? 1 - kGaps : 1);
  found.push_back(fmt::format("{} more memory {}", gigabytes(more), memory_of));
  const auto try_with = [&](Workload changed, const std::string& words) {
    if (fits_somehow(changed, machine)) found.push_back(words);
  };
  if (work.accumulation == 0 || work.accumulation < work.batch) {
    Workload rows = work;
    rows.accumulation = work.batch;
    try_with(rows, fmt::format("--train.accumulation {} (one row at a time)", rows.accumulation));
  }
  if (work.weight_bytes == 4 && !work.method.full) {
    Workload narrow = work;
    narrow.weight_bytes = 2;
    try_with(narrow, "--dtype bfloat16");
  }
  // A machine with more nodes of the same kind.
  const int one_node = machine.ranks_per_node();
  for (int nodes = machine.nodes + 1; machine.on_gpu() && nodes <= 16 * machine.nodes; ++nodes) {
    Machine larger = machine;
    larger.nodes = nodes;
    larger.ranks = nodes * one_node;
    if (!fits_somehow(work, larger)) continue;
    found.push_back(fmt::format("{} such GPUs", larger.ranks));
    break;
  }
  return fmt::format("any of: {}", fmt::join(found, "; "));
}

/// Why `second` is slower than `chosen`.
std::string drawback(const Workload& work, const Layout& chosen, const Layout& second) {
  if (second.dp > work.batch && second.dp > chosen.dp) {
    return fmt::format("which has {} replicas for {} rows a step", second.dp, work.batch);
  }
  if (second.time.tp_sums > chosen.time.tp_sums) {
    return fmt::format("which spends {:.0f} % of a step on sums between tp ranks",
                       100 * second.time.tp_sums / second.time.total());
  }
  if (second.time.dp_sums + second.time.update > chosen.time.dp_sums + chosen.time.update) {
    return fmt::format("which spends {:.0f} % of a step on gradients and parameters",
                       100 * (second.time.dp_sums + second.time.update) / second.time.total());
  }
  return "whose replicas wait for the one with the longest rows";
}

std::string reason_for(const Workload& work, const Layout& chosen,
                       const std::vector<Layout>& layouts) {
  const bool smaller_fails = std::any_of(
      layouts.begin(), layouts.end(), [&](const Layout& l) { return l.tp < chosen.tp && !l.fits; });
  const Layout* second = nullptr;  // the fastest of the others that fit
  for (const Layout& other : layouts) {
    if (!other.fits || other.tp == chosen.tp) continue;
    if (second == nullptr || other.rows_per_second > second->rows_per_second) second = &other;
  }
  const std::string speed = speed_text(chosen.rows_per_second) + " rows/s";
  if (second == nullptr) {
    return speed + (layouts.size() == 1 ? ", and no other layout of so many ranks is possible"
                                        : ", and no other layout fits");
  }
  const double gain = chosen.rows_per_second / second->rows_per_second - 1;
  const std::string why =
      gain < kAlike ? fmt::format(", as fast as {} with less of the model cut", name_of(*second))
                    : fmt::format(", {:.0f} % more than {}, {}", 100 * gain, name_of(*second),
                                  drawback(work, chosen, *second));
  return speed + why + (smaller_fails ? "; a smaller tp does not fit into memory" : "");
}

}  // namespace

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

Choice choose_layout(const Workload& work, const Machine& machine,
                     const std::vector<Layout>& layouts) {
  const Layout* best = nullptr;
  const Layout* smallest = &layouts.front();
  for (const Layout& layout : layouts) {
    if (layout.memory.parts.total() < smallest->memory.parts.total()) smallest = &layout;
    if (!layout.fits) continue;
    if (best == nullptr || layout.rows_per_second > (1 + kAlike) * best->rows_per_second) {
      best = &layout;
    }
  }
  if (best == nullptr) {
    const auto needed = static_cast<double>(smallest->memory.parts.total());
    const double lacking = needed - usable_memory(machine);
    fail(ExitCode::kResources,
         {.what = "no layout fits into memory",
          .where = fmt::format("{} rank{}", machine.ranks, machine.ranks == 1 ? "" : "s"),
          .expected = fmt::format("at most {} a rank", gigabytes(usable_memory(machine))),
          .got = fmt::format("{} with {}, {} too much", gigabytes(needed), name_of(*smallest),
                             gigabytes(lacking)),
          .fix = remedies(work, machine, lacking)});
  }
  return {static_cast<std::size_t>(best - layouts.data()), reason_for(work, *best, layouts)};
}

}  // namespace softcot
