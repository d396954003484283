#include "evaluation/study_page.h"

#include <fmt/format.h>

#include "evaluation/report_html.h"
#include "evaluation/study_charts.h"
#include "evaluation/study_tables.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

std::string titled(const Grid& grid) {
  return "<h2>" + html_text(grid.title) + "</h2>\n" + html_grid(grid);
}

std::string verdicts(const Study& study) {
  std::string out;
  for (const std::string& task : study.tasks()) {
    const std::string words = study_verdict(study, task);
    if (!words.empty()) out += "<p class=\"verdict\">" + html_text(words) + "</p>\n";
  }
  return out;
}

std::string facts(const Grid& grid, std::size_t line) {
  std::string out = "<table class=\"facts\"><tbody>\n";
  for (std::size_t i = 0; i < grid.heads.size(); ++i) {
    if (i == 1 || grid.lines[line][i].empty()) continue;
    out += "<tr><th scope=\"row\">" + html_text(grid.heads[i]) + "</th><td><code>" +
           html_text(grid.lines[line][i]) + "</code></td></tr>\n";
  }
  return out + "</tbody></table>\n";
}

/// For each line of the tables a place that names what it was made from.
std::string sources_section(const Study& study) {
  const Grid grid = sources_grid(study);
  std::string out =
      "<h2>Made from</h2>\n<p class=\"soft\">Each line of the tables leads here: to the hashes of "
      "its settings, prompts, models and data, its seeds and its machine.</p>\n";
  std::size_t at = 0;
  for (std::size_t i = 0; i < study.lines.size(); ++i) {
    const StudyLine& line = study.lines[i];
    out += fmt::format("<details id=\"line-{}\"><summary>{}: {}</summary>\n", i,
                       html_text(line.task), html_text(line.label));
    for (std::size_t cell = 0; cell < line.cells.size(); ++cell) out += facts(grid, at++);
    out += "</details>\n";
  }
  out += "<details><summary>Effective configurations of all runs</summary>\n";
  for (const StudyRun& run : study.runs) {
    for (const auto& [name, text] : run.configs) {
      out += fmt::format("<details><summary>{}: {}</summary><pre>{}</pre></details>\n",
                         html_text(run.name), html_text(name), html_text(text));
    }
  }
  return out + "</details>\n";
}

}  // namespace

std::string study_page(const Study& study, const std::string& gnuplot) {
  std::string body =
      "<h1>" + html_text(study.title) + "</h1>\n<p class=\"soft\">softcot report of " +
      counted(study.runs.size(), "run") +
      ". <a href=\"samples.html\">What the methods wrote</a>, question by question.</p>\n";
  if (const auto left_out = left_out_grid(study)) {
    body += fmt::format("<p class=\"soft\">⚠ {} below, under “{}”.</p>\n",
                        left_out->lines.size() == 1 ? "One note" : "Some notes",
                        html_text(left_out->title));
  }
  body += verdicts(study);
  if (const auto overview = overview_grid(study)) body += titled(*overview);
  for (const std::string& task : study.tasks()) body += titled(task_grid(study, task));
  body += "<p class=\"soft\">" + html_text(study_words(study)) + "</p>\n";
  for (const std::string& task : study.tasks()) {
    body += thoughts_section(study, task, gnuplot);
    for (const Grid& grid : thought_grids(study, task)) body += titled(grid);
    body += sizes_section(study, task, gnuplot);
    body += votes_section(study, task, gnuplot);
  }
  for (const Grid& grid : transfer_grids(study)) body += titled(grid);
  body += trainings_section(study, gnuplot);
  if (const auto cost = cost_grid(study)) body += titled(*cost);
  if (const auto left_out = left_out_grid(study)) body += titled(*left_out);
  return html_page(study.title + " – softcot", body + sources_section(study));
}

}  // namespace softcot
