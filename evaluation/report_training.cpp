#include "evaluation/report_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "evaluation/report_html.h"

namespace softcot {
namespace {

constexpr std::size_t kMostPoints = 1200;  // Of one line; longer runs are averaged in pieces.
constexpr std::size_t kSmoothFrom = 60;    // Steps; shorter curves are shown as they are.
constexpr std::size_t kMostTableRows = 40;

using Field = std::optional<double> RunStep::*;

std::vector<PlotPoint> points_of(const std::vector<RunStep>& steps, Field field) {
  std::vector<PlotPoint> points;
  for (const RunStep& step : steps) {
    if (step.*field) points.push_back({.x = static_cast<double>(step.step), .y = *(step.*field)});
  }
  return points;
}

std::map<std::int64_t, std::vector<PlotPoint>> heldout_by_stage(const std::vector<RunStep>& steps) {
  std::map<std::int64_t, std::vector<PlotPoint>> stages;
  for (const RunStep& step : steps) {
    if (!step.heldout_loss) continue;
    stages[step.stage].push_back({.x = static_cast<double>(step.step), .y = *step.heldout_loss});
  }
  return stages;
}

PlotPoint mean_of(const std::vector<PlotPoint>& points, std::size_t begin, std::size_t end) {
  PlotPoint mean;
  for (std::size_t i = begin; i < end; ++i) {
    mean.x += points[i].x;
    mean.y += points[i].y;
  }
  mean.x /= static_cast<double>(end - begin);
  mean.y /= static_cast<double>(end - begin);
  return mean;
}

std::vector<PlotPoint> thinned(const std::vector<PlotPoint>& points) {
  if (points.size() <= kMostPoints) return points;
  std::vector<PlotPoint> means;
  for (std::size_t i = 0; i < kMostPoints; ++i) {
    means.push_back(
        mean_of(points, i * points.size() / kMostPoints, (i + 1) * points.size() / kMostPoints));
  }
  return means;
}

// The mean over a fortieth of the curve around each point.
std::vector<PlotPoint> smoothed(const std::vector<PlotPoint>& points) {
  const std::size_t reach = std::max<std::size_t>(1, points.size() / 80);
  std::vector<PlotPoint> means;
  for (std::size_t i = 0; i < points.size(); ++i) {
    // As far to one side as to the other, so that the ends are not pulled inwards.
    const std::size_t half = std::min({reach, i, points.size() - 1 - i});
    PlotPoint mean = mean_of(points, i - half, i + half + 1);
    mean.x = points[i].x;
    means.push_back(mean);
  }
  return means;
}

Plot loss_plot(const RunRecord& run) {
  Plot plot{.id = "loss",
            .x_label = "step",
            .y_label = "loss (nats per token)",
            .x_names = {},
            .series = {}};
  const std::vector<PlotPoint> loss = thinned(points_of(run.steps, &RunStep::loss));
  if (loss.size() >= kSmoothFrom) {
    plot.series.push_back({"", PlotSeries::Style::kFaintLine, 0, loss});
    plot.series.push_back({"training, smoothed", PlotSeries::Style::kLine, 0, smoothed(loss)});
  } else {
    plot.series.push_back({"training", PlotSeries::Style::kLine, 0, loss});
  }
  for (PlotSeries& series : heldout_loss(run.steps, 1)) plot.series.push_back(std::move(series));
  const auto first = std::find_if(plot.series.begin(), plot.series.end(), [](const auto& series) {
    return series.style == PlotSeries::Style::kMarkedLine;
  });
  if (first != plot.series.end()) first->title = "held out";
  return plot;
}

Plot small_plot(const RunRecord& run, const char* id, const char* label, int colour, Field field) {
  Plot plot{.id = id, .x_label = "step", .y_label = label, .x_names = {}, .series = {}};
  plot.from_zero = true;
  plot.width = 460;
  plot.height = 260;
  plot.series.push_back(
      {"", PlotSeries::Style::kLine, colour, thinned(points_of(run.steps, field))});
  return plot;
}

std::string shown(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "";
}

// Evenly spaced steps, the first, the last and, where they fit, all with a held-out loss.
std::string step_table(const RunRecord& run) {
  std::vector<const RunStep*> chosen;
  const std::size_t count = run.steps.size();
  const std::size_t heldout = static_cast<std::size_t>(std::count_if(
      run.steps.begin(), run.steps.end(), [](const RunStep& step) { return step.heldout_loss; }));
  for (std::size_t i = 0; i < count; ++i) {
    const bool even =
        count <= kMostTableRows || i * kMostTableRows / count != (i - 1) * kMostTableRows / count;
    const bool ends = i == 0 || i + 1 == count;
    if (ends || even || (heldout <= kMostTableRows && run.steps[i].heldout_loss)) {
      chosen.push_back(&run.steps[i]);
    }
  }
  HtmlTable table{
      .head = {"Step", "Loss", "Held-out loss", "Gradient norm", "Learning rate", "Tokens/s"},
      .rows = {}};
  for (const RunStep* step : chosen) {
    table.rows.push_back({std::to_string(step->step), shown(step->loss, "{:.4f}"),
                          shown(step->heldout_loss, "{:.4f}"), shown(step->gradient_norm, "{:.4g}"),
                          shown(step->learning_rate, "{:.3g}"),
                          shown(step->tokens_per_second, "{:.0f}")});
  }
  return html_table(table);
}

std::string range_words(const std::vector<PlotPoint>& points, const std::string& what) {
  if (points.empty()) return "";
  return fmt::format(" {} {:.4f} at step {:.0f}, {:.4f} at step {:.0f}.", what, points.front().y,
                     points.front().x, points.back().y, points.back().x);
}

std::string heldout_words(const std::vector<RunStep>& steps) {
  std::string words;
  const auto stages = heldout_by_stage(steps);
  for (const auto& [stage, points] : stages) {
    words += range_words(
        points, stages.size() == 1 ? "Held-out loss" : fmt::format("Held out in stage {}", stage));
  }
  return words;
}

}  // namespace

std::vector<PlotPoint> training_loss(const std::vector<RunStep>& steps) {
  const auto points = thinned(points_of(steps, &RunStep::loss));
  return points.size() >= kSmoothFrom ? smoothed(points) : points;
}

std::vector<PlotSeries> heldout_loss(const std::vector<RunStep>& steps, int colour) {
  std::vector<PlotSeries> lines;
  for (const auto& [stage, points] : heldout_by_stage(steps)) {
    lines.push_back({"", PlotSeries::Style::kMarkedLine, colour, thinned(points)});
  }
  return lines;
}

std::string figure(const std::optional<std::string>& svg, const std::string& caption, Width width) {
  if (!svg) return "";
  return fmt::format(
      "<figure><div class=\"scroll{}\">{}</div><figcaption>{}</figcaption></figure>\n",
      width == Width::kWhole ? " wide" : "", *svg, html_text(caption));
}

std::string training_section(const RunRecord& run, const std::string& gnuplot) {
  std::string out;
  if (run.steps.empty() && run.provenance.trained_parameters.empty()) return out;
  out += "<h2>Training</h2>\n";
  if (!run.provenance.trained_parameters.empty()) {
    out += "<p>Trained: ";
    for (std::size_t i = 0; i < run.provenance.trained_parameters.size(); ++i) {
      out += (i == 0 ? "<code>" : ", <code>") + html_text(run.provenance.trained_parameters[i]) +
             "</code>";
    }
    out += ".</p>\n";
  }
  if (!run.frozen_weights.empty()) {
    out +=
        "<p>Every other weight is frozen: after the training their hash was the one before, "
        "<code>" +
        html_text(run.frozen_weights) + "</code>.</p>\n";
  }
  if (run.steps.empty()) return out;
  out += "<p>" + range_words(points_of(run.steps, &RunStep::loss), "Training loss") +
         heldout_words(run.steps) + "</p>\n";
  const auto loss = draw_svg(loss_plot(run), gnuplot);
  if (loss) {
    const bool averaged = run.steps.size() > kMostPoints;
    out += figure(
        loss,
        std::string("Loss per target token at each step; held-out points are measured on rows "
                    "that are never trained on.") +
            (averaged ? " Long runs are averaged in pieces." : ""));
    out +=
        "<div class=\"pair\">" +
        figure(
            draw_svg(small_plot(run, "norm", "gradient norm", 2, &RunStep::gradient_norm), gnuplot),
            "Norm of the gradient, before clipping.", Width::kHalf) +
        figure(
            draw_svg(small_plot(run, "rate", "learning rate", 3, &RunStep::learning_rate), gnuplot),
            "Learning rate.", Width::kHalf) +
        "</div>\n";
  } else {
    out +=
        "<p class=\"soft\">The curves could not be drawn: gnuplot is missing or failed here. The "
        "figures "
        "below are the same; install gnuplot and make this page again for the pictures.</p>\n";
  }
  return out + fmt::format("<details{}><summary>Figures by step</summary>{}</details>\n",
                           loss ? "" : " open", step_table(run));
}

}  // namespace softcot
