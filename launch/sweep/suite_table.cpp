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

/// The lines of one task, with the samples that are there.
class Lines {
 public:
  Lines(const Suite& suite, const std::filesystem::path& folder, const std::string& task) {
    for (const SuiteCell& cell : suite.cells) {
      if (cell.task == task) {
        add(cell, folder, task, cell.folder());
      } else if (cell.transfers.contains(task)) {
        add(cell, folder, task, transfer_folder(cell.folder(), task));
      }
    }
    for (Line& line : lines_) tell_apart(line);
  }

  std::vector<Line> take() { return std::move(lines_); }

 private:
  /// A line for each sample file of the cell's results, one without figures where there are none.
  void add(const SuiteCell& cell, const std::filesystem::path& folder, const std::string& task,
           const std::filesystem::path& run) {
    const std::string trained_on = cell.trained() ? cell.task : "";
    const RunPaths paths{folder / run};
    const auto made = read_done(folder / cell.folder());
    const bool stale = made && made->hash != cell.hash();
    if (stale || !std::filesystem::exists(paths.results())) {
      const bool known = std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
        return line.row.entry.name() == cell.entry.name() && line.row.trained_on == trained_on;
      });
      if (!known) line_of(cell, task, trained_on, cell.entry.method);
      return;
    }
    const auto json = read_json_file(paths.results());
    const std::string where = paths.results().string();
    for (const MethodResult& result : comparison_from_json(json, where).rows) {
      Line& line = line_of(cell, task, trained_on, result.method);
      line.samples.title = result.title;
      line.samples.quirks = result.quirks;
      line.samples.skipped = result.skipped;
      std::vector<Sample> samples = read_samples(paths.samples(result.method));
      const auto nll = cell.trained() ? nll_per_token_of(samples) : std::nullopt;
      if (nll) line.samples.training_nll.push_back(*nll);
      pool_samples(line.samples, std::move(samples));
      line.row.runs.push_back({run.string(), cell.hash(), provenance_from_json(json, where)});
      line.seeds += std::max<std::size_t>(1, result.over_seeds.count);
    }
  }

  /// That of the sample file `made`; a new one where there is none, or only one without figures.
  Line& line_of(const SuiteCell& cell, const std::string& task, const std::string& trained_on,
                const std::string& made) {
    for (Line& line : lines_) {
      const bool same_cell =
          line.row.entry.name() == cell.entry.name() && line.row.trained_on == trained_on;
      if (same_cell && (line.row.samples == made || line.row.runs.empty())) {
        line.row.samples = made;
        return line;
      }
    }
    Line& line = lines_.emplace_back();
    line.row = {.entry = cell.entry,
                .trained_on = trained_on,
                .task = task,
                .thoughts = thoughts_of(cell),
                .samples = made,
                .result = {},
                .published = {},
                .runs = {}};
    return line;
  }

  /// Gives the line's samples a name of their own, and its title what tells it from the other lines
  /// of its cells: "SoftCoT, N = 4 (reference scoring)".
  void tell_apart(Line& line) {
    SuiteEntry& entry = line.row.entry;
    const std::string method =
        entry.name() == kBaseline ? kBaseline : entry.name() + "/" + line.row.trained_on;
    line.samples.method =
        line.row.samples == entry.method ? method : method + "/" + line.row.samples;
    const auto of_cell = std::count_if(lines_.begin(), lines_.end(), [&](const Line& other) {
      return other.row.entry.name() == entry.name() && other.row.trained_on == line.row.trained_on;
    });
    const std::string plain = method_of(entry.method).title;
    if (of_cell > 1 && line.samples.title.starts_with(plain)) {
      entry.title += line.samples.title.substr(plain.size());
    }
    line.samples.title = entry.title;
  }

  std::vector<Line> lines_;
};

/// Zero-shot CoT scored in the same way, where the suite has it, under quirks also as a variant;
/// else the one that there is. The first line of its cells is the one that is not greedy.
std::string baseline_of(const std::vector<Line>& lines, const Line& line) {
  const Line* best = nullptr;
  const auto better = [&](const Line& other) {
    const auto rank = [&](const Line& each) {
      return 2 * static_cast<int>(each.samples.quirks == line.samples.quirks) +
             static_cast<int>(each.row.entry.name() == kBaseline);
    };
    return best == nullptr || rank(other) > rank(*best);
  };
  for (const Line& other : lines) {
    const bool variant_scored_so = other.row.entry.method == kBaseline &&
                                   other.samples.quirks == line.samples.quirks &&
                                   line.samples.quirks != ScoringQuirks{};
    const bool fits = other.row.entry.name() == kBaseline || variant_scored_so;
    if (fits && !other.samples.samples.empty() && better(other)) best = &other;
  }
  return best == nullptr ? kBaseline : best->samples.method;
}

/// Not greedy besides, nor Coconut before its last stage: what a published figure may stand beside.
bool is_final_answer(const Line& line) {
  const std::string& method = line.row.entry.method;
  return line.row.samples == method ||
         line.row.samples == method + "-" + quirks_name(line.samples.quirks);
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
    std::vector<Line> lines = Lines(suite, folder, task).take();
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
        if (figure.task == task && figure.entry == line.row.entry.name() &&
            figure.trained_on == line.row.trained_on && is_final_answer(line)) {
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
