#include "evaluation/study_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "evaluation/report_html.h"
#include "evaluation/report_training.h"
#include "evaluation/report_votes.h"
#include "evaluation/svg_plot.h"

namespace softcot {
namespace {

using Number = std::function<std::optional<std::int64_t>(const StudyLine&)>;

/// Lines that differ in the quantity on the x axis alone.
struct Curve {
  std::string name;
  std::map<std::int64_t, const StudyLine*> points;
};

/// An entry of the legend, which is no part of the pictures: two of them share one.
struct Named {
  std::string name;
  int colour = 0;
  bool dashed = false;
};

/// The curves of a task that have several points.
std::vector<Curve> curves_of(const Study& study, const std::string& task, const Number& x,
                             const std::set<std::string>& settings) {
  const auto lines = study.lines_of(task);
  std::vector<Curve> curves;
  for (const StudyLine* line : lines) {
    const auto place = x(*line);
    if (!place || line->eval_thoughts || !line->native() || !line->doubt.empty()) continue;
    const std::string more = distinction(*line, lines, settings);
    const std::string name = line->samples.title + (more.empty() ? "" : ", " + more);
    auto curve = std::find_if(curves.begin(), curves.end(),
                              [&](const Curve& each) { return each.name == name; });
    if (curve == curves.end()) curve = curves.insert(curve, {name, {}});
    curve->points.emplace(*place, line);
  }
  std::erase_if(curves, [](const Curve& curve) { return curve.points.size() < 2; });
  return curves;
}

/// The first line of zero-shot CoT: what all others are compared with.
const StudyLine* reference_of(const Study& study, const std::string& task) {
  for (const StudyLine* line : study.lines_of(task)) {
    if (line->method == "zero_shot_cot" && line->doubt.empty()) return line;
  }
  return nullptr;
}

std::optional<PlotPoint> nll_point(const StudyLine& line) {
  const auto& nll = line.result.nll_per_token;
  if (!nll) return std::nullopt;
  return PlotPoint{.y = nll->value, .low = nll->interval.low, .high = nll->interval.high};
}

std::optional<PlotPoint> accuracy_point(const StudyLine& line) {
  const Accuracy& accuracy = headline_accuracy(line.result);
  return PlotPoint{.y = 100 * accuracy.value,
                   .low = 100 * accuracy.interval95.low,
                   .high = 100 * accuracy.interval95.high};
}

using PointOf = std::optional<PlotPoint> (*)(const StudyLine&);

/// Equal steps on the x axis: numbers of thoughts double, and so do models.
Plot plot_of(const std::vector<Curve>& curves, const StudyLine* reference, Plot plot,
             const std::function<std::string(std::int64_t)>& name_of, PointOf point_of) {
  std::set<std::int64_t> places;
  for (const Curve& curve : curves) {
    for (const auto& [place, line] : curve.points) places.insert(place);
  }
  for (const std::int64_t place : places) plot.x_names.push_back(name_of(place));
  const auto x_of = [&](std::int64_t place) {
    return static_cast<double>(std::distance(places.begin(), places.find(place)));
  };
  std::vector<PlotSeries> lines;
  int colour = 0;
  for (const Curve& curve : curves) {
    PlotSeries series{"", PlotSeries::Style::kMarkedLine, colour++, {}};
    for (const auto& [place, line] : curve.points) {
      auto point = point_of(*line);
      if (!point) continue;
      point->x = x_of(place);
      series.points.push_back(*point);
    }
    PlotSeries band = series;
    band.style = PlotSeries::Style::kBand;
    plot.series.push_back(std::move(band));
    lines.push_back(std::move(series));
  }
  for (PlotSeries& series : lines) plot.series.push_back(std::move(series));
  const auto level = reference == nullptr ? std::nullopt : point_of(*reference);
  if (level) {
    plot.series.push_back({"",
                           PlotSeries::Style::kDashes,
                           colour,
                           {{.x = -0.4, .y = level->y},
                            {.x = static_cast<double>(places.size()) - 0.6, .y = level->y}}});
  }
  return plot;
}

std::string two_plots(const std::vector<Curve>& curves, const StudyLine* reference,
                      const std::string& id, const std::string& x_label,
                      const std::function<std::string(std::int64_t)>& name_of,
                      const std::string& gnuplot) {
  const auto draw = [&](const char* what, const char* y_label, PointOf point_of,
                        bool percent = false) {
    const Plot empty{.id = id + what,
                     .x_label = x_label,
                     .y_label = y_label,
                     .x_names = {},
                     .series = {},
                     .from_zero = false,
                     .percent = percent,
                     .width = 560,
                     .height = 340};
    return draw_svg(plot_of(curves, reference, empty, name_of, point_of), gnuplot);
  };
  return "<div class=\"pair\">" +
         figure(draw("nll", "NLL (nats per token)", nll_point),
                "Held-out NLL per token of the reference rationale and answer; lower is better. "
                "Bands: 95 % "
                "intervals over questions.",
                Width::kHalf) +
         figure(draw("accuracy", "accuracy (%)", accuracy_point, /*percent=*/true),
                "Accuracy. Bands: 95 % intervals over questions.", Width::kHalf) +
         "</div>\n";
}

std::string section(const std::string& heading, const std::string& pictures,
                    const std::vector<Named>& legend) {
  if (pictures.find("<svg") == std::string::npos) return "";
  std::string out = "<h2>" + html_text(heading) + "</h2>\n<ul class=\"legend\">";
  for (const Named& each : legend) {
    out += fmt::format("<li><i{} style=\"border-color:{}\"></i>{}</li>",
                       each.dashed || each.colour >= kPlotColours ? " class=\"dashed\"" : "",
                       plot_colour(each.colour), html_text(each.name));
  }
  return out + "</ul>\n" + pictures;
}

/// Of the curves and of what they are compared with.
std::vector<Named> legend_of(const std::vector<Curve>& curves, const StudyLine* reference) {
  std::vector<Named> legend;
  for (const Curve& curve : curves) legend.push_back({curve.name, static_cast<int>(legend.size())});
  if (reference != nullptr) {
    legend.push_back({reference->samples.title, static_cast<int>(legend.size()), true});
  }
  return legend;
}

/// A name for a task's pictures: letters and digits.
std::string id_of(const std::string& what, const Study& study, const std::string& task) {
  const auto tasks = study.tasks();
  return fmt::format("{}{}", what, std::find(tasks.begin(), tasks.end(), task) - tasks.begin());
}

}  // namespace

std::string thoughts_section(const Study& study, const std::string& task,
                             const std::string& gnuplot) {
  const auto curves = curves_of(study, task, [](const StudyLine& line) { return line.thoughts; },
                                {"thoughts.count"});
  if (curves.empty()) return "";
  return section(
      task + ": number of thoughts",
      two_plots(
          curves, reference_of(study, task), id_of("thoughts", study, task), "thought tokens (N)",
          [](std::int64_t n) { return std::to_string(n); }, gnuplot),
      legend_of(curves, reference_of(study, task)));
}

std::string sizes_section(const Study& study, const std::string& task, const std::string& gnuplot) {
  const auto curves =
      curves_of(study, task, [](const StudyLine& line) { return line.assistant_size; },
                {"assistant.path", "assistant.layers", "assistant.dtype"});
  if (curves.empty()) return "";
  return section(task + ": size of the assistant",
                 two_plots(curves, reference_of(study, task), id_of("size", study, task),
                           "parameters of the assistant", short_count, gnuplot),
                 legend_of(curves, reference_of(study, task)));
}

std::string votes_section(const Study& study, const std::string& task, const std::string& gnuplot) {
  Comparison comparison;
  for (const StudyLine* line : study.lines_of(task)) {
    if (!line->native() || !line->doubt.empty()) continue;
    comparison.rows.push_back(line->result);
    comparison.rows.back().title = line->label;
  }
  return voting_section(comparison, gnuplot, task + ": votes among samples",
                        id_of("votes", study, task));
}

std::string trainings_section(const Study& study, const std::string& gnuplot) {
  Plot training{.id = "training",
                .x_label = "step",
                .y_label = "loss (nats per token)",
                .x_names = {},
                .series = {},
                .from_zero = false,
                .width = 560,
                .height = 340};
  Plot heldout = training;
  heldout.id = "heldout";
  std::set<std::size_t> shown;
  std::vector<Named> legend;
  for (const StudyLine& line : study.lines) {
    const bool own = !line.trained_on.empty() && line.native() && !line.eval_thoughts;
    if (!own || !line.doubt.empty()) continue;
    bool named = false;
    for (const std::size_t index : line.cells) {
      const std::size_t run = study.cells[index].run;
      const auto& steps = study.runs[run].steps;
      if (steps.empty() || !shown.insert(run).second) continue;
      named = true;
      const int colour = static_cast<int>(legend.size());
      training.series.push_back({"", PlotSeries::Style::kLine, colour, training_loss(steps)});
      for (PlotSeries& stage : heldout_loss(steps, colour)) {
        heldout.series.push_back(std::move(stage));
      }
    }
    if (named) legend.push_back({line.label, static_cast<int>(legend.size())});
  }
  return section(
      "Trainings",
      "<div class=\"pair\">" +
          figure(draw_svg(training, gnuplot),
                 "Training loss per target token, smoothed where there are many steps; "
                 "the seeds of one line have one colour.",
                 Width::kHalf) +
          figure(draw_svg(heldout, gnuplot),
                 "Loss on held-out rows, which are never trained on; a line for each stage of a "
                 "curriculum, whose rows are others.",
                 Width::kHalf) +
          "</div>\n",
      legend);
}

}  // namespace softcot
