#include "launch/sweep/suite_grids.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "evaluation/figure_text.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

std::string accuracy_of(const SuiteRow& row) {
  return row.result ? accuracy_text(*row.result) : kNoFigure;
}

std::string nll_of(const SuiteRow& row) { return row.result ? nll_text(*row.result) : kNoFigure; }

const Estimate* change_of(const SuiteRow& row) {
  return row.result ? nll_change(*row.result) : nullptr;
}

std::string interval_of(const SuiteRow& row) {
  const Estimate* change = change_of(row);
  return change == nullptr ? kNoFigure : change_text(*change);
}

std::string p_text(const SuiteRow& row) {
  if (!row.result || !row.result->contrast) return kNoFigure;
  return fmt::format("{:.2g}", row.result->contrast->mcnemar_p);
}

std::string number_of(const std::optional<double>& figure) {
  return figure ? fmt::format("{:.2f}", *figure) : "";
}

/// Where there are votes it stands beside these.
std::string published_text(const SuiteRow& row) {
  return row.result && row.result->voting ? "" : number_of(row.published);
}

std::string title_of(const SuiteRow& row) {
  if (row.trained_on.empty() || row.trained_on == row.task) return row.entry.title;
  return fmt::format("{} ({})", row.entry.title, row.trained_on);
}

/// Of a task the first result that is there.
const MethodResult* result_of(const std::vector<SuiteRow>& rows, const std::string& task) {
  for (const SuiteRow& row : rows) {
    if (row.task == task && row.result) return &*row.result;
  }
  return nullptr;
}

/// "date_understanding, 250 questions; always B: 20.0 %"
std::string heading_of(const std::vector<SuiteRow>& rows, const std::string& task) {
  const MethodResult* result = result_of(rows, task);
  if (result == nullptr) return task + ", nothing yet";
  const std::string majority = majority_text(*result);
  return fmt::format("{}, {}{}{}", task, counted(result->questions, "question"),
                     majority.empty() ? "" : "; ", majority);
}

Grid details(const Suite& suite, const std::vector<SuiteRow>& rows, const std::string& task) {
  Grid grid{heading_of(rows, task),
            {"method", "N", "params", "NLL", "Δ % [95 %]", "accuracy %", "p"},
            {}};
  const bool published = !suite.published.empty();
  if (published) grid.heads.emplace_back("paper");
  for (const SuiteRow& row : rows) {
    if (row.task != task) continue;
    grid.lines.push_back({title_of(row), row.thoughts, row.parameters(), nll_of(row),
                          interval_of(row), accuracy_of(row), p_text(row)});
    if (published) grid.lines.back().push_back(published_text(row));
  }
  return grid;
}

using RowText = std::function<std::string(const SuiteRow&)>;

/// One line for all rows of the same label, one column a task.
Grid by_task(const Suite& suite, const std::vector<const SuiteRow*>& rows, std::string title,
             const RowText& label, const RowText& figure) {
  Grid grid{std::move(title), {"method"}, {}};
  const std::vector<std::string> tasks = suite.all_tasks();
  grid.heads.insert(grid.heads.end(), tasks.begin(), tasks.end());
  for (const SuiteRow* row : rows) {
    const std::string name = label(*row);
    auto line = std::find_if(grid.lines.begin(), grid.lines.end(),
                             [&](const auto& cells) { return cells[0] == name; });
    if (line == grid.lines.end()) {
      line = grid.lines.insert(line, std::vector<std::string>(tasks.size() + 1, kNoFigure));
      line->front() = name;
    }
    const auto column = std::find(tasks.begin(), tasks.end(), row->task) - tasks.begin();
    (*line)[static_cast<std::size_t>(column) + 1] = figure(*row);
  }
  return grid;
}

/// All methods on all tasks, each as it was trained for that task: Suite::training_for.
std::optional<Grid> overview(const Suite& suite, const std::vector<SuiteRow>& rows) {
  if (suite.all_tasks().size() < 2) return std::nullopt;
  std::vector<const SuiteRow*> own;
  for (const SuiteRow& row : rows) {
    if (row.trained_on.empty() || row.trained_on == suite.training_for(row.task)) {
      own.push_back(&row);
    }
  }
  const bool published = !suite.published.empty();
  Grid grid = by_task(
      suite, own, published ? "Accuracy %, in brackets the published one" : "Accuracy %",
      [](const SuiteRow& row) { return row.entry.title; },
      [](const SuiteRow& row) {
        const std::string paper = published_text(row);
        const std::string ours =
            row.result ? percent(headline_accuracy(*row.result).value) : kNoFigure;
        return paper.empty() ? ours : fmt::format("{} ({})", ours, paper);
      });
  std::vector<std::string> majority = {"majority class"};
  bool any = false;
  for (const std::string& task : suite.all_tasks()) {
    const MethodResult* result = result_of(rows, task);
    const bool known = result != nullptr && result->majority_class;
    majority.push_back(known ? percent(result->majority_class->share) : kNoFigure);
    any = any || known;
  }
  if (any) grid.lines.push_back(std::move(majority));
  return grid;
}

/// Trained on one task, tested on all; nothing without such tests.
std::vector<Grid> transfer(const Suite& suite, const std::vector<SuiteRow>& rows) {
  std::vector<const SuiteRow*> all;
  bool any = false;
  for (const SuiteRow& row : rows) {
    any = any || (!row.trained_on.empty() && row.trained_on != row.task);
    all.push_back(&row);
  }
  if (!any) return {};
  const RowText label = [](const SuiteRow& row) {
    return row.trained_on.empty() ? row.entry.title
                                  : fmt::format("{} ({})", row.entry.title, row.trained_on);
  };
  const RowText change = [](const SuiteRow& row) {
    const Estimate* estimate = change_of(row);
    return estimate == nullptr ? kNoFigure : signed_text(100 * estimate->value, 1);
  };
  return {by_task(suite, all, "Transfer, accuracy % (trained on the task in brackets)", label,
                  accuracy_of),
          by_task(suite, all, "Transfer, Δ % of the NLL (trained on the task in brackets)", label,
                  change)};
}

/// The share of questions whose vote among k samples is right.
std::optional<Grid> votes(const Suite& suite, const std::vector<SuiteRow>& rows) {
  Grid grid{"Right by the vote of k samples, %", {"method"}, {}};
  std::size_t most = 0;
  for (const SuiteRow& row : rows) {
    if (row.result && row.result->voting)
      most = std::max(most, row.result->voting->majority.size());
  }
  if (most == 0) return std::nullopt;
  std::vector<std::size_t> shown;
  for (std::size_t k = 1; k < most; k *= 2) shown.push_back(k);
  shown.push_back(most);
  for (const std::size_t k : shown) grid.heads.push_back(fmt::format("k = {}", k));
  if (!suite.published.empty()) grid.heads.emplace_back("paper");
  for (const SuiteRow& row : rows) {
    if (!row.result || !row.result->voting) continue;
    std::vector<std::string> line = {fmt::format("{}: {}", row.task, title_of(row))};
    const std::vector<double>& curve = row.result->voting->majority;
    for (const std::size_t k : shown) {
      line.push_back(k <= curve.size() ? percent(curve[k - 1]) : kNoFigure);
    }
    if (!suite.published.empty()) line.push_back(number_of(row.published));
    grid.lines.push_back(std::move(line));
  }
  return grid;
}

}  // namespace

std::vector<Grid> suite_grids(const Suite& suite, const SuiteTable& table) {
  std::vector<Grid> grids;
  if (auto grid = overview(suite, table.rows)) grids.push_back(std::move(*grid));
  for (const std::string& task : suite.all_tasks()) {
    grids.push_back(details(suite, table.rows, task));
  }
  for (Grid& grid : transfer(suite, table.rows)) grids.push_back(std::move(grid));
  if (auto grid = votes(suite, table.rows)) grids.push_back(std::move(*grid));
  return grids;
}

}  // namespace softcot
