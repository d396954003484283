#include "launch/sweep/suite_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "evaluation/pooled_samples.h"
#include "launch/options/run_options.h"
#include "launch/run/method.h"
#include "launch/run/run_folder.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

constexpr const char* kBaseline = "zero_shot_cot";

std::string setting(const SuiteCell& cell, const std::string& name, const std::string& otherwise) {
  const auto found = cell.settings.find(name);
  return found == cell.settings.end() ? otherwise : found->second;
}

std::string thoughts_of(const SuiteCell& cell) {
  const Method& method = method_of(cell.entry.method);
  if (!method.placeholders && !method.written) return "";
  std::string train = setting(cell, "thoughts.count", fmt::format("{}", ThoughtOptions{}.count));
  const std::string eval = setting(cell, "thoughts.eval-count", "0");
  if (eval == "0" || eval == train) return train;
  return method.trained() ? train + " / " + eval : eval;
}

struct Line {
  SuiteRow row;
  MethodSamples samples;
  std::size_t seeds = 0;  // Training seeds, times those of the evaluation.
};

/// Every line of one task, with the samples that are there.
std::vector<Line> lines_of(const Suite& suite, const std::filesystem::path& folder,
                           const std::string& task) {
  std::vector<Line> lines;
  for (const SuiteCell& cell : suite.cells) {
    const bool own = cell.task == task;
    if (!own && !cell.transfers.contains(task)) continue;
    const bool trained = method_of(cell.entry.method).trained();
    const std::string trained_on = trained ? cell.task : "";
    const auto there = std::find_if(lines.begin(), lines.end(), [&](const Line& line) {
      return line.row.entry.name() == cell.entry.name() && line.row.trained_on == trained_on;
    });
    const bool fresh = there == lines.end();
    Line& line = fresh ? lines.emplace_back() : *there;
    if (fresh) {
      line.row = {.entry = cell.entry,
                  .trained_on = trained_on,
                  .task = task,
                  .thoughts = thoughts_of(cell),
                  .result = {},
                  .published = {},
                  .runs = {}};
      line.samples = {cell.entry.name() + "/" + trained_on, cell.entry.title, {}};
      if (cell.entry.name() == kBaseline) line.samples.method = kBaseline;
    }
    const auto made = read_done(folder / cell.folder());
    if (made && made->hash != cell.hash()) continue;
    const auto run =
        own ? std::filesystem::path(cell.folder()) : transfer_folder(cell.folder(), task);
    const RunPaths paths{folder / run};
    if (!std::filesystem::exists(paths.results())) continue;
    const auto json = read_json_file(paths.results());
    const std::string where = paths.results().string();
    const MethodResult first = comparison_from_json(json, where).rows.at(0);
    line.samples.quirks = first.quirks;
    line.samples.skipped = first.skipped;
    pool_samples(line.samples, read_samples(paths.samples(first.method)));
    line.row.runs.push_back({run.string(), cell.hash(), provenance_from_json(json, where)});
    line.seeds += std::max<std::size_t>(1, first.over_seeds.count);
  }
  return lines;
}

/// Zero-shot CoT scored in the same way, where the suite has it.
std::string baseline_of(const std::vector<Line>& lines, const Line& line) {
  if (line.samples.quirks == ScoringQuirks{}) return kBaseline;
  for (const Line& other : lines) {
    const bool zero_shot = other.row.entry.method == kBaseline;
    if (zero_shot && !other.samples.samples.empty() &&
        other.samples.quirks == line.samples.quirks) {
      return other.samples.method;
    }
  }
  return kBaseline;
}

}  // namespace

std::filesystem::path transfer_folder(const std::filesystem::path& cell, const std::string& task) {
  return RunPaths{cell}.transfer(task);
}

std::string SuiteRow::parameters() const {
  if (method_of(entry.method).full) return "all";
  if (runs.empty()) return "";
  const auto& known = runs[0].provenance.parameters;
  const auto trained = known.find("trained");
  if (trained == known.end() || trained->second == 0) return "";
  const auto count = static_cast<double>(trained->second);
  return count < 1e6 ? fmt::format("{:.0f}k", count / 1e3) : fmt::format("{:.2f}M", count / 1e6);
}

SuiteTable read_suite_table(const Suite& suite, const std::filesystem::path& folder) {
  SuiteTable table;
  for (const std::string& task : suite.all_tasks()) {
    std::vector<Line> lines = lines_of(suite, folder, task);
    std::vector<MethodSamples> samples;
    for (Line& line : lines) {
      line.samples.baseline = baseline_of(lines, line);
      line.samples.seeds = std::max<std::size_t>(1, line.seeds);
      samples.push_back(line.samples);
    }
    const Comparison comparison = compare_methods(samples, {.baseline = kBaseline});
    for (Line& line : lines) {
      for (const MethodResult& result : comparison.rows) {
        if (result.method == line.samples.method) line.row.result = result;
      }
      for (const PublishedFigure& figure : suite.published) {
        const bool native =
            line.row.trained_on.empty() || line.row.trained_on == task ||
            std::find(suite.tasks.begin(), suite.tasks.end(), task) == suite.tasks.end();
        if (native && figure.task == task && figure.entry == line.row.entry.name()) {
          line.row.published = figure.accuracy;
        }
      }
      table.rows.push_back(std::move(line.row));
    }
  }
  for (const SuiteCell& cell : suite.cells) {
    if (auto reason = why_missing(folder / cell.folder(), cell.hash())) {
      table.missing.push_back({cell.folder(), *reason});
    }
  }
  return table;
}

}  // namespace softcot
