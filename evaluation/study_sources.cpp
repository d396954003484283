#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "evaluation/study_tables.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

/// What a line's runs have cost, as far as they tell.
struct Cost {
  double train_seconds = 0;
  double train_rows = 0;
  double evaluate_seconds = 0;
  double samples = 0;
  double timed_tokens = 0;
  double new_tokens = 0;
  double device_hours = 0;
  bool gpu = false;
};

Cost cost_of(const Study& study, const StudyLine& line) {
  Cost cost;
  for (const std::size_t index : line.cells) {
    const StudyCell& cell = study.cells[index];
    const StudyRun& run = study.runs[cell.run];
    for (const Sample& sample : cell.samples.samples) {
      cost.new_tokens += static_cast<double>(sample.new_tokens);
    }
    for (const WorkRecord& work : run.work) {
      const bool training = work.command == "train" && !line.trained_on.empty();
      if (!training && (work.command != "evaluate" || work.method != cell.samples.method)) continue;
      (training ? cost.train_seconds : cost.evaluate_seconds) += work.seconds;
      (training ? cost.train_rows : cost.samples) += static_cast<double>(work.rows);
      cost.timed_tokens += static_cast<double>(work.new_tokens);
      cost.device_hours += work.seconds * work.ranks / 3600;
      cost.gpu = cost.gpu || work.device != "cpu";
    }
    if (cost.train_seconds > 0 || line.trained_on.empty()) continue;
    // Runs of a version without work.jsonl: what their steps took, on who knows how many ranks.
    for (const RunStep& step : run.steps) cost.train_seconds += step.seconds.value_or(0);
    cost.device_hours = 0;
  }
  return cost;
}

std::string shown(double value, const char* format) {
  return value > 0 ? fmt::format(fmt::runtime(format), value) : "–";
}

std::string ratio(double above, double below) {
  if (above <= 0 || below <= 0) return "–";
  const double value = above / below;
  return value < 1000 ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

std::string joined(const std::map<std::string, std::string>& names) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : names) parts.push_back(name + " " + value);
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::optional<Grid> cost_grid(const Study& study) {
  Grid grid{"What it took",
            {"method", "training s", "rows/s", "answering s", "samples/s", "tokens/s",
             "tokens written", "device-hours"},
            {}};
  bool gpu = false;
  bool cpu = false;
  const bool several = study.tasks().size() > 1;
  for (const StudyLine& line : study.lines) {
    const Cost cost = cost_of(study, line);
    if (cost.device_hours > 0) (cost.gpu ? gpu : cpu) = true;
    grid.lines.push_back(
        {several ? line.task + ": " + line.label : line.label, shown(cost.train_seconds, "{:.0f}"),
         ratio(cost.train_rows, cost.train_seconds), shown(cost.evaluate_seconds, "{:.0f}"),
         ratio(cost.samples, cost.evaluate_seconds),
         ratio(cost.timed_tokens, cost.evaluate_seconds), fmt::format("{:.0f}", cost.new_tokens),
         shown(cost.device_hours, "{:.3f}")});
    grid.links.push_back(fmt::format("line-{}", &line - study.lines.data()));
  }
  if (grid.lines.empty()) return std::nullopt;
  if (gpu != cpu) grid.heads.back() = gpu ? "GPU-hours" : "CPU-rank-hours";
  drop_empty_columns(grid);
  return grid;
}

Grid sources_grid(const Study& study) {
  Grid grid{"Made from",
            {"run", "line", "seeds", "softcot", "settings", "prompts", "models", "data", "machine"},
            {}};
  for (const StudyLine& line : study.lines) {
    for (const std::size_t index : line.cells) {
      const StudyCell& cell = study.cells[index];
      const StudyRun& run = study.runs[cell.run];
      const Provenance& from = run.provenance;
      std::vector<std::string> machines;
      for (const WorkRecord& work : run.work) {
        std::string machine = fmt::format("{}: {}, {} on {}, tp {}, {}", work.command, work.machine,
                                          counted(work.ranks, "rank"), work.device, work.tp,
                                          counted(work.threads, "thread"));
        const bool own = work.command != "evaluate" || work.method == cell.samples.method;
        if (own && std::find(machines.begin(), machines.end(), machine) == machines.end()) {
          machines.push_back(std::move(machine));
        }
      }
      grid.lines.push_back({run.name, line.task + ": " + line.label, cell.seeds,
                            value_of(from.versions, "softcot"), from.config_hash, from.prompt_hash,
                            joined(from.model_hashes), joined(from.data_hashes),
                            fmt::format("{}", fmt::join(machines, "; "))});
    }
  }
  return grid;
}

std::optional<Grid> left_out_grid(const Study& study) {
  Grid grid{"Left out or in doubt", {"run", "why"}, {}};
  for (const StudyRun& run : study.runs) {
    if (!run.doubt.empty()) {
      grid.lines.push_back(
          {"⚠ " + run.name, run.doubt + "; by itself in the tables, in no picture"});
    }
  }
  for (const LeftOut& each : study.left_out) grid.lines.push_back({each.name, each.reason});
  if (grid.lines.empty()) return std::nullopt;
  return grid;
}

}  // namespace softcot
