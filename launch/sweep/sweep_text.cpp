#include "launch/sweep/sweep_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/progress.h"

namespace softcot {
namespace {

std::string size_text(double bytes) {
  if (bytes < 1e6) return fmt::format("{:.0f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.0f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

/// Works of one kind.
struct Sum {
  std::size_t all = 0;
  std::size_t missing = 0;
  double seconds = 0;  // Of the missing ones,
  double bytes = 0;    // and these.
};

const char* name_of(SweepPart part) {
  switch (part) {
    case SweepPart::kThoughts:
      return "thought caches";
    case SweepPart::kTexts:
      return "assistant's texts";
    case SweepPart::kTraining:
      return "trainings";
    case SweepPart::kEvaluation:
      return "evaluations";
  }
  return "";
}

/// Which works a call would do: cells that are missing, and what is missing of all that they need.
std::vector<bool> works_to_do(const SweepPlan& plan, const std::filesystem::path& out) {
  std::vector<bool> wanted(plan.works.size());
  for (const SweepPlan::Cell& cell : plan.cells) wanted[cell.evaluation] = true;
  for (std::size_t i = plan.works.size(); i-- > 0;) {  // Needs come first.
    const Work& work = plan.works[i];
    wanted[i] = wanted[i] && why_missing(out / work.name, work.hash);
    if (!wanted[i]) continue;
    for (const std::size_t need : work.needs) wanted[need] = true;
  }
  return wanted;
}

}  // namespace

std::string sweep_preview(const Sweep& sweep, const SweepPlan& plan,
                          const std::vector<WorkCost>& costs, double measured, int jobs,
                          const std::filesystem::path& out) {
  std::string text = sweep.title.empty() ? "" : sweep.title + "\n\n";
  std::size_t width = 4;
  for (const SweepAxis& axis : sweep.axes) width = std::max(width, axis.option.size());
  for (const SweepAxis& axis : sweep.axes) {
    text += fmt::format("  {:<{}}  {}\n", axis.option, width, fmt::join(axis.values, ", "));
  }
  width = 4;
  for (const SweepCell& cell : sweep.cells) width = std::max(width, cell.name.size());
  text += fmt::format("\n  {:<{}}  state  folder\n", "cell", width);
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    const Work& work = plan.works[plan.cells[i].evaluation];
    text += fmt::format("  {:<{}}  {:<5}  {}\n", sweep.cells[i].name, width,
                        why_missing(out / work.name, work.hash) ? "to do" : "done", work.name);
  }
  const std::vector<bool> to_do = works_to_do(plan, out);
  Sum total;
  std::string lines;
  for (const SweepPart part :
       {SweepPart::kThoughts, SweepPart::kTexts, SweepPart::kTraining, SweepPart::kEvaluation}) {
    Sum sum;
    for (std::size_t i = 0; i < plan.works.size(); ++i) {
      if (plan.parts[i] != part) continue;
      ++sum.all;
      if (!to_do[i]) continue;
      ++sum.missing;
      sum.seconds += costs[i].seconds * (measured > 0 ? measured : 1) / jobs;
      sum.bytes += costs[i].bytes;
    }
    if (sum.all == 0) continue;
    lines += fmt::format("  {:<17}  {:>5}  {:>5}  {:>13}  {:>7}\n", name_of(part), sum.all,
                         sum.missing, format_duration(sum.seconds), size_text(sum.bytes));
    total.seconds += sum.seconds;
    total.bytes += sum.bytes;
  }
  text += fmt::format("\n{} cells need   in all  to do           time     disk\n{}",
                      sweep.cells.size(), lines);
  return text + fmt::format("\nabout {} and {} of disk, {}\n", format_duration(total.seconds),
                            size_text(total.bytes),
                            measured > 0
                                ? "from what is done here"
                                : "guessed; within a factor of three until something is done");
}

std::string sweep_summary(const Sweep& sweep, const SweepPlan& plan,
                          const std::filesystem::path& out) {
  std::size_t done = 0;
  std::string others;
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    const Work& work = plan.works[plan.cells[i].evaluation];
    const auto reason = why_missing(out / work.name, work.hash);
    if (!reason) ++done;
    if (reason) others += fmt::format("missing: {}: {}\n", sweep.cells[i].name, *reason);
  }
  return fmt::format("{}{} of {} cells done\nsaved: {}\nnext: softcot report {} --out FOLDER\n",
                     others, done, sweep.cells.size(), (out / "sweep.json").string(), out.string());
}

}  // namespace softcot
