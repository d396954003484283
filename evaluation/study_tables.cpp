#include "evaluation/study_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "evaluation/figure_text.h"
#include "evaluation/verdict.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

constexpr const char* kSignificant = "∗";

std::string marked_accuracy(const MethodResult& result) {
  const bool differs = result.contrast && result.contrast->holm_p < 0.05;
  return accuracy_text(result) + (differs ? kSignificant : "");
}

std::string marked_change(const MethodResult& result) {
  const Estimate* change = nll_change(result);
  if (change == nullptr) return kNoFigure;
  const auto& of_all = result.contrast->nll_of_all;
  const bool differs = of_all && (of_all->low > 0 || of_all->high < 0);
  return change_text(*change) + (differs ? kSignificant : "");
}

std::string thoughts_text(const StudyLine& line) {
  if (!line.thoughts) return "";
  if (!line.eval_thoughts) return std::to_string(*line.thoughts);
  return fmt::format("{} / {}", *line.thoughts, *line.eval_thoughts);
}

std::string count_text(const std::optional<std::int64_t>& count) {
  return count ? short_count(*count) : "";
}

/// Names the place on the page where the sources of a line are.
std::string link_of(const Study& study, const StudyLine* line) {
  return fmt::format("line-{}", line - study.lines.data());
}

bool has_published(const Study& study) {
  return std::any_of(study.lines.begin(), study.lines.end(),
                     [](const StudyLine& line) { return line.published.has_value(); });
}

using Figure = std::function<std::optional<double>(const StudyLine&)>;

std::optional<double> nll_figure(const StudyLine& line) {
  const auto& nll = line.result.nll_per_token;
  if (!nll) return std::nullopt;
  return nll->value;
}

std::optional<double> accuracy_figure(const StudyLine& line) {
  return 100 * headline_accuracy(line.result).value;
}

std::optional<double> change_figure(const StudyLine& line) {
  const Estimate* change = nll_change(line.result);
  if (change == nullptr) return std::nullopt;
  return 100 * change->value;
}

/// Lines by row and column: the figure of the first line of each, coloured between the least and
/// the greatest.
Grid matrix(std::string title, const std::string& corner, const std::vector<std::string>& rows,
            const std::vector<std::string>& columns,
            const std::function<const StudyLine*(std::size_t, std::size_t)>& line_at,
            const Figure& figure, int digits) {
  Grid grid{std::move(title), {corner}, {}};
  grid.heads.insert(grid.heads.end(), columns.begin(), columns.end());
  std::vector<double> all;
  std::vector<std::vector<std::optional<double>>> values(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    grid.lines.push_back({rows[i]});
    for (std::size_t j = 0; j < columns.size(); ++j) {
      const StudyLine* line = line_at(i, j);
      values[i].push_back(line == nullptr ? std::nullopt : figure(*line));
      const auto& value = values[i].back();
      grid.lines[i].push_back(value ? number_text(*value, digits) : kNoFigure);
      if (value) all.push_back(*value);
    }
  }
  if (all.empty()) return grid;
  const auto [low, high] = std::minmax_element(all.begin(), all.end());
  for (auto& row : values) {
    for (auto& value : row) {
      if (value) value = *high > *low ? (*value - *low) / (*high - *low) : 0.0;
    }
  }
  grid.heat = std::move(values);
  return grid;
}

void add_once(std::vector<std::string>& all, const std::string& text) {
  if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
}

std::vector<std::string> as_texts(const std::set<std::int64_t>& numbers) {
  std::vector<std::string> texts;
  for (const std::int64_t number : numbers) texts.push_back(std::to_string(number));
  return texts;
}

}  // namespace

std::optional<Grid> overview_grid(const Study& study) {
  const auto tasks = study.tasks();
  if (tasks.size() < 2) return std::nullopt;
  Grid grid{has_published(study) ? "Accuracy %, in brackets the published one" : "Accuracy %",
            {"method"},
            {}};
  grid.heads.insert(grid.heads.end(), tasks.begin(), tasks.end());
  for (const StudyLine& line : study.lines) {
    if (!line.native() || line.eval_thoughts) continue;
    auto row = std::find_if(grid.lines.begin(), grid.lines.end(),
                            [&](const auto& cells) { return cells[0] == line.label; });
    if (row == grid.lines.end()) {
      row = grid.lines.insert(row, std::vector<std::string>(tasks.size() + 1, kNoFigure));
      row->front() = line.label;
      grid.links.push_back(link_of(study, &line));
    }
    const auto column = std::find(tasks.begin(), tasks.end(), line.task) - tasks.begin();
    std::string& cell = (*row)[static_cast<std::size_t>(column) + 1];
    cell = marked_accuracy(line.result);
    if (line.published) cell += fmt::format(" ({:.2f})", *line.published);
  }
  return grid;
}

Grid task_grid(const Study& study, const std::string& task) {
  const auto lines = study.lines_of(task);
  std::size_t questions = 0;
  std::string majority;
  for (const StudyLine* line : lines) {
    if (line->result.questions <= questions) continue;
    questions = line->result.questions;
    majority = majority_text(line->result);
  }
  Grid grid{fmt::format("{}, {}{}{}", task, counted(questions, "question"),
                        majority.empty() ? "" : "; ", majority),
            {"method", "NLL", "Δ % [95 %]", "accuracy %", "vote %", "p", "published %", "N",
             "assistant", "trained", "seeds"},
            {}};
  for (const StudyLine* line : lines) {
    const auto& voting = line->result.voting;
    const auto& contrast = line->result.contrast;
    grid.lines.push_back(
        {line->label, nll_text(line->result), marked_change(line->result),
         marked_accuracy(line->result), voting ? percent(voting->majority.back()) : "",
         contrast ? fmt::format("{:.2g}", contrast->mcnemar_p) : kNoFigure,
         line->published ? fmt::format("{:.2f}", *line->published) : "", thoughts_text(*line),
         count_text(line->assistant_size), count_text(line->trained_parameters),
         std::to_string(line->samples.seeds)});
    grid.links.push_back(link_of(study, line));
  }
  drop_empty_columns(grid);
  return grid;
}

std::vector<Grid> thought_grids(const Study& study, const std::string& task) {
  const std::set<std::string> both = {"thoughts.count", "thoughts.eval-count"};
  const auto lines = study.lines_of(task);
  struct Series {
    std::set<std::int64_t> train;
    std::set<std::int64_t> eval;
    std::map<std::pair<std::int64_t, std::int64_t>, const StudyLine*> at;
  };
  std::vector<std::string> names;
  std::map<std::string, Series> all;
  for (const StudyLine* line : lines) {
    if (line->trained_on.empty() || !line->thoughts || !line->doubt.empty()) continue;
    const std::string more = distinction(*line, lines, both);
    const std::string name = line->samples.title + (more.empty() ? "" : ", " + more) +
                             (line->native() ? "" : " (trained on " + line->trained_on + ")");
    add_once(names, name);
    Series& series = all[name];
    const std::int64_t eval = line->eval_thoughts.value_or(*line->thoughts);
    series.train.insert(*line->thoughts);
    series.eval.insert(eval);
    series.at.emplace(std::pair(*line->thoughts, eval), line);
  }
  std::vector<Grid> grids;
  for (const std::string& name : names) {
    const Series& series = all[name];
    const bool off_diagonal = std::any_of(series.at.begin(), series.at.end(), [](const auto& item) {
      return item.first.first != item.first.second;
    });
    if (!off_diagonal || series.eval.size() < 2) continue;
    const std::vector<std::int64_t> train(series.train.begin(), series.train.end());
    const std::vector<std::int64_t> eval(series.eval.begin(), series.eval.end());
    const auto line_at = [&](std::size_t i, std::size_t j) -> const StudyLine* {
      const auto found = series.at.find({train[i], eval[j]});
      return found == series.at.end() ? nullptr : found->second;
    };
    const auto add = [&](const std::string& what, const Figure& figure, int digits) {
      grids.push_back(matrix(fmt::format("{}, {}: {}", task, name, what), "N trained \\ tested",
                             as_texts(series.train), as_texts(series.eval), line_at, figure,
                             digits));
    };
    add("NLL", nll_figure, 4);
    add("accuracy %", accuracy_figure, 1);
  }
  return grids;
}

std::vector<Grid> transfer_grids(const Study& study) {
  if (!study.has_transfer()) return {};
  const auto tasks = study.tasks();
  std::vector<std::string> labels;
  std::map<std::pair<std::string, std::string>, const StudyLine*> at;
  for (const StudyLine& line : study.lines) {
    if (!line.doubt.empty()) continue;
    const std::string more = distinction(line, study.lines_of(line.task));
    std::string label = line.samples.title + (more.empty() ? "" : ", " + more);
    if (!line.trained_on.empty()) label += fmt::format(" (trained on {})", line.trained_on);
    add_once(labels, label);
    at.emplace(std::pair(label, line.task), &line);
  }
  std::erase_if(labels, [&](const std::string& label) {
    return std::count_if(tasks.begin(), tasks.end(), [&](const std::string& task) {
             return at.contains({label, task});
           }) < 2;
  });
  const auto line_at = [&](std::size_t i, std::size_t j) -> const StudyLine* {
    const auto found = at.find({labels[i], tasks[j]});
    return found == at.end() ? nullptr : found->second;
  };
  return {matrix("Transfer: accuracy %", "method", labels, tasks, line_at, accuracy_figure, 1),
          matrix("Transfer: change of the NLL against zero-shot CoT, %", "method", labels, tasks,
                 line_at, change_figure, 1)};
}

std::vector<Grid> study_grids(const Study& study) {
  std::vector<Grid> grids;
  const auto add = [&](std::optional<Grid> grid) {
    if (grid) grids.push_back(std::move(*grid));
  };
  add(overview_grid(study));
  for (const std::string& task : study.tasks()) {
    grids.push_back(task_grid(study, task));
    for (Grid& grid : thought_grids(study, task)) grids.push_back(std::move(grid));
  }
  for (Grid& grid : transfer_grids(study)) grids.push_back(std::move(grid));
  add(cost_grid(study));
  add(left_out_grid(study));
  return grids;
}

std::string study_verdict(const Study& study, const std::string& task) {
  const auto same_lines = study.lines_of(task);
  std::vector<VerdictLine> lines;
  for (const StudyLine* line : same_lines) {
    if (!line->native() || !line->doubt.empty() || !line->result.contrast) continue;
    for (const StudyLine* other : same_lines) {
      if (other->result.method != line->result.baseline) continue;
      lines.push_back({line->label, &line->result, &other->result});
    }
  }
  const std::string sentence = best_line_sentence(lines);
  return sentence.empty() ? "" : task + ": " + sentence;
}

std::string study_words(const Study& study) {
  std::string words =
      "NLL: negative log-likelihood in nats per token of the reference rationale and answer on "
      "held-out questions, lower is better. Δ: paired difference to zero-shot CoT on the same "
      "questions, with a 95 % interval over questions (bootstrap, 10000 resamples). Accuracy ± "
      "standard error over questions, or with its 95 % interval where that is nothing; in brackets "
      "the sd over seeds where several differ; flexible extractor, or as evaluate.compat has it. "
      "p: McNemar, exact, against zero-shot CoT. Intervals and p are of each line by itself. ∗: "
      "differs from zero-shot CoT at the 5 % level over all lines of its task together (";
  std::string counts;
  for (const std::string& task : study.tasks()) {
    std::size_t lines = 0;
    for (const StudyLine* line : study.lines_of(task)) {
      if (line->result.contrast) lines = line->result.contrast->lines;
    }
    counts += fmt::format("{}{}: {}", counts.empty() ? "" : ", ", task, lines);
  }
  words += counts +
           "): p after Holm, and for the NLL an interval that is simultaneous over them (max-t).";
  if (!study.source.empty()) words += " Published: " + study.source + ".";
  return words;
}

}  // namespace softcot
