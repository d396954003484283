#include "launch/plan/choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/counted.h"
#include "runtime/error.h"

namespace softcot {
namespace {

/// Layouts whose speeds differ by less are alike.
constexpr double kAlike = 0.01;

std::string gigabytes(double bytes) { return fmt::format("{:.1f} GB", bytes / 1e9); }

bool fits_somehow(const Workload& work, const Machine& machine) {
  const auto layouts = plan_layouts(work, machine);
  return std::any_of(layouts.begin(), layouts.end(), [](const Layout& l) { return l.fits; });
}

/// Changes that would make a layout fit, each alone.
std::string remedies(const Workload& work, const Machine& machine, double lacking) {
  std::vector<std::string> found;
  const std::string memory_of = machine.on_gpu() ? "a GPU" : "a node";
  const double more = lacking * machine.memory / usable_memory(machine);
  found.push_back(fmt::format("{} more memory {}", gigabytes(more), memory_of));
  const auto try_with = [&](const Workload& changed, const std::string& words) {
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
  // A machine with more nodes of the same kind: sizes that tp divides are powers of two.
  const int one_node = machine.ranks_per_node();
  for (int nodes = 2 * machine.nodes; machine.on_gpu() && nodes <= 16 * machine.nodes; nodes *= 2) {
    Machine larger = machine;
    larger.nodes = nodes;
    larger.ranks = nodes * one_node;
    if (!fits_somehow(work, larger)) continue;
    found.push_back(fmt::format("{} such GPUs", larger.ranks));
    break;
  }
  return fmt::format("any of: {}", fmt::join(found, "; "));
}

/// Why `second` is slower than `chosen`: the part of a step that it takes longest over.
std::string drawback(const Workload& work, const Layout& chosen, const Layout& second) {
  const auto share = [&](double seconds) { return 100 * seconds / second.time.total(); };
  const double compute = second.time.compute - chosen.time.compute;
  const double tp_sums = second.time.tp_sums - chosen.time.tp_sums;
  const double moved = second.time.dp_sums + second.time.update;
  const double more_moved = moved - chosen.time.dp_sums - chosen.time.update;
  if (tp_sums >= compute && tp_sums >= more_moved) {
    return fmt::format("which spends {:.0f} % of a step on sums between tp ranks",
                       share(second.time.tp_sums));
  }
  if (more_moved >= compute) {
    return fmt::format("which spends {:.0f} % of a step on gradients and parameters", share(moved));
  }
  if (second.dp > work.batch && second.dp > chosen.dp) {
    return fmt::format("which has {} replicas for {} a step", second.dp,
                       counted(work.batch, "row"));
  }
  if (second.dp > chosen.dp) return "whose replicas wait longer for the one with the most tokens";
  return fmt::format("which computes {:.3g} ms a step, not {:.3g}", 1e3 * second.time.compute,
                     1e3 * chosen.time.compute);
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
      gain < kAlike
          ? fmt::format(", as fast as {} with less of the model cut", layout_name(*second))
          : fmt::format(", {:.0f} % more than {}, {}", 100 * gain, layout_name(*second),
                        drawback(work, chosen, *second));
  return speed + why + (smaller_fails ? "; a smaller tp does not fit into memory" : "");
}

}  // namespace

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
          .where = counted(machine.ranks, "rank"),
          .expected = fmt::format("at most {} a rank", gigabytes(usable_memory(machine))),
          .got = fmt::format("{} with {}, {} too much", gigabytes(needed), layout_name(*smallest),
                             gigabytes(lacking)),
          .fix = remedies(work, machine, lacking)});
  }
  return {static_cast<std::size_t>(best - layouts.data()), reason_for(work, *best, layouts)};
}

std::vector<std::string> plan_hints(const Workload& work, const Machine& machine) {
  std::vector<std::string> hints;
  if (machine.on_gpu() && work.weight_bytes == 4 && !work.method.full) {
    const Machine narrow = default_machine(machine.device, 2);
    hints.push_back(fmt::format(
        "With --dtype bfloat16 weights take half the memory, and an H100 makes {:g} TFLOP/s, not "
        "{:g}.",
        narrow.peak_flops / 1e12, default_machine(machine.device, 4).peak_flops / 1e12));
  }
  if (work.batch < machine.ranks) {
    hints.push_back(
        fmt::format("A step has {}, so no more replicas have work: --batch takes more rows.",
                    counted(work.batch, "row")));
  }
  return hints;
}

}  // namespace softcot
