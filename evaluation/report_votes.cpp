#include "evaluation/report_votes.h"

#include <fmt/format.h>

#include "evaluation/report_html.h"
#include "evaluation/report_training.h"
#include "evaluation/svg_plot.h"

namespace softcot {
namespace {

// Votes and pass@k over the number of samples, a colour for each method.
Plot voting_plot(const Comparison& comparison, const std::string& id) {
  Plot plot{.id = id,
            .x_label = "samples of a question (k)",
            .y_label = "questions right (%)",
            .x_names = {},
            .series = {}};
  const auto points = [](const std::vector<double>& curve) {
    std::vector<PlotPoint> made;
    for (std::size_t k = 0; k < curve.size(); ++k) {
      made.push_back({.x = static_cast<double>(k + 1), .y = 100 * curve[k]});
    }
    return made;
  };
  int colour = 0;
  for (const MethodResult& row : comparison.rows) {
    if (!row.voting) continue;
    plot.series.push_back({row.title + ", vote", PlotSeries::Style::kMarkedLine, colour,
                           points(row.voting->majority)});
    plot.series.push_back(
        {row.title + ", pass(k)", PlotSeries::Style::kLine, colour, points(row.voting->pass)});
    ++colour;
  }
  plot.from_zero = true;
  return plot;
}

}  // namespace

std::string voting_section(const Comparison& comparison, const std::string& gnuplot,
                           const std::string& heading, const std::string& id) {
  const std::size_t most = most_votes(comparison);
  if (most == 0) return "";
  HtmlTable table{.head = {"Method", "Samples"}, .rows = {}};
  for (std::size_t k = 1; k <= most; ++k) table.head.push_back(std::to_string(k));
  for (const MethodResult& row : comparison.rows) {
    if (!row.voting) continue;
    const auto add = [&](const std::string& what, const std::vector<double>& curve) {
      table.rows.push_back({html_text(row.title), what});
      for (std::size_t k = 0; k < most; ++k) {
        table.rows.back().push_back(k < curve.size() ? fmt::format("{:.1f}", 100 * curve[k]) : "");
      }
    };
    add("majority vote", row.voting->majority);
    add("pass@k", row.voting->pass);
  }
  return "<h2>" + html_text(heading) + "</h2>\n" +
         figure(draw_svg(voting_plot(comparison, id), gnuplot),
                "Questions answered right by the majority vote of k samples (marked), and with at "
                "least one right among k (pass@k, the line above it in the same colour).") +
         html_table(table) +
         "<p class=\"soft\">In %, by each method's headline extractor, out of the same samples. A "
         "tie goes to the answer that was given first.</p>\n";
}

}  // namespace softcot
