#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "evaluation/figure_text.h"
#include "evaluation/verdict.h"
#include "launch/sweep/suite_grids.h"
#include "launch/sweep/suite_table.h"

namespace softcot {
namespace {

constexpr const char* kWords =
    "NLL: negative log-likelihood in nats per token of the reference rationale and answer on "
    "held-out questions, lower is better. Δ: paired difference to zero-shot CoT on the same "
    "questions, with a 95 % interval over questions. Accuracy ± standard error over questions, or "
    "with its 95 % interval where that is nothing; in brackets the sd over seeds where several "
    "differ; flexible extractor, or as evaluate.compat has it. p: McNemar, exact, against "
    "zero-shot "
    "CoT. Intervals and p are of each line by itself, not corrected for the number of lines.";

/// "gsm8k: Of 5 lines SoftCoT lowers …", a task each.
std::vector<std::string> verdicts(const Suite& suite, const SuiteTable& table) {
  std::vector<std::string> sentences;
  for (const std::string& task : suite.all_tasks()) {
    std::vector<VerdictLine> lines;
    for (const SuiteRow& row : table.rows) {
      const bool native = row.trained_on.empty() || row.trained_on == suite.training_for(task);
      if (row.task != task || !native || !row.result || !row.result->contrast) continue;
      for (const SuiteRow& other : table.rows) {
        const bool is_baseline =
            other.task == task && other.result && other.result->method == row.result->baseline;
        if (is_baseline) lines.push_back({row.entry.title, &*row.result, &*other.result});
      }
    }
    const std::string sentence = best_line_sentence(lines);
    if (!sentence.empty()) sentences.push_back(task + ": " + sentence);
  }
  return sentences;
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string gap(width - std::min(width, columns_of(text)), ' ');
  return left ? text + gap : gap + text;
}

std::string rule(std::size_t width) {
  std::string line;
  for (std::size_t i = 0; i < width; ++i) line += "─";
  return line + "\n";
}

/// As many columns after the label as fit, then the label and the others again. A label that would
/// leave no room for a figure has a line of its own.
std::string format_grid(const Grid& grid) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < grid.heads.size(); ++i) {
    widths.push_back(columns_of(grid.heads[i]));
    for (const auto& line : grid.lines) widths[i] = std::max(widths[i], columns_of(line[i]));
  }
  std::size_t figures = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) figures += widths[i] + 1;
  constexpr std::size_t kLeastLabel = 24;
  const std::size_t label =
      std::min(widths[0], std::max(kLeastLabel, kColumns - std::min(kColumns, figures)));
  std::string out = grid.title + "\n";
  for (std::size_t begin = 1; begin < widths.size();) {
    std::size_t end = begin;
    std::size_t width = label;
    while (end < widths.size() && (end == begin || width + 1 + widths[end] <= kColumns)) {
      width += 1 + widths[end++];
    }
    const auto line_of = [&](const std::vector<std::string>& cells) {
      std::string line = padded(cells[0], label, true);
      if (columns_of(cells[0]) > label) line += "\n" + std::string(label, ' ');
      for (std::size_t i = begin; i < end; ++i) line += " " + padded(cells[i], widths[i], false);
      return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    };
    out += line_of(grid.heads) + rule(width);
    for (const auto& line : grid.lines) out += line_of(line);
    begin = end;
  }
  return out;
}

/// "gsm8k, SoftCoT: 3 questions are left out …" for each row of which some are.
std::vector<std::string> skipped_lines(const SuiteTable& table) {
  std::vector<std::string> lines;
  for (const SuiteRow& row : table.rows) {
    if (!row.result || row.result->skipped == 0) continue;
    lines.push_back(
        fmt::format("{}, {}: {}", row.task, row.entry.title, skipped_text(*row.result)));
  }
  return lines;
}

}  // namespace

std::string format_suite(const Suite& suite, const SuiteTable& table) {
  std::string out = suite.title + "\n";
  for (const Grid& grid : suite_grids(suite, table)) out += "\n" + format_grid(grid);
  out += "\n" + paragraph(kWords);
  for (const std::string& sentence : verdicts(suite, table)) out += paragraph(sentence);
  for (const std::string& line : skipped_lines(table)) out += paragraph(line);
  if (!suite.source.empty()) out += paragraph("paper: " + suite.source);
  for (const MissingCell& cell : table.missing) {
    out += paragraph(fmt::format("missing: {}: {}", cell.folder, cell.reason));
  }
  return out;
}

std::string suite_markdown(const Suite& suite, const SuiteTable& table) {
  std::string out = "# " + suite.title + "\n";
  for (const Grid& grid : suite_grids(suite, table)) out += "\n" + markdown_grid(grid);
  out += fmt::format("\n{}\n", kWords);
  for (const std::string& sentence : verdicts(suite, table)) {
    out += "\n" + markdown_cell(sentence) + "\n";
  }
  for (const std::string& line : skipped_lines(table)) out += "\n" + markdown_cell(line) + "\n";
  if (!suite.source.empty()) out += "\npaper: " + suite.source + "\n";
  if (!table.missing.empty()) out += "\n## Missing\n\n";
  for (const MissingCell& cell : table.missing) {
    out += fmt::format("- {}: {}\n", cell.folder, markdown_cell(cell.reason));
  }
  out += fmt::format("\n## Made from\n\nsoftcot {}, suite {}.\n\n", SOFTCOT_VERSION, suite.hash);
  out += "| run | settings | prompt | models |\n| --- | --- | --- | --- |\n";
  for (const SuiteRow& row : table.rows) {
    for (const SuiteRun& run : row.runs) {
      std::vector<std::string> models;
      for (const auto& [name, hash] : run.provenance.model_hashes) {
        models.push_back(name + " " + hash);
      }
      out += fmt::format("| {} | {} | {} | {} |\n", run.folder, run.hash,
                         run.provenance.prompt_hash, fmt::join(models, ", "));
    }
  }
  return out;
}

}  // namespace softcot
