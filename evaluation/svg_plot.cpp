#include "evaluation/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "evaluation/svg_gnuplot.h"

namespace softcot {
namespace {

// Readable on white and on black.
constexpr std::array<std::string_view, kPlotColours> kColours = {
    "#3b82c4", "#d9772b", "#3f9b63", "#9a6fc0", "#c94f5d", "#8a8d2b", "#2fa3a8", "#b06a9b"};
constexpr std::size_t kMostInside = 4;  // Names in the legend that find room inside of the plot.

std::string harmless(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || std::string_view(" .,:%()+-/").find(c) != std::string_view::npos) out += c;
    if (out.size() >= 40) break;
  }
  return out;
}

bool drawable(const PlotPoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && std::isfinite(point.low) &&
         std::isfinite(point.high);
}

std::string data_block(std::size_t index, const PlotSeries& series) {
  std::string block = fmt::format("$s{} << END\n", index);
  for (const PlotPoint& point : series.points) {
    if (drawable(point)) {
      block +=
          fmt::format("{:.9g} {:.9g} {:.9g} {:.9g}\n", point.x, point.y, point.low, point.high);
    }
  }
  return block + "END\n";
}

std::string style_of(const PlotSeries& series) {
  const std::string_view colour = plot_colour(series.colour);
  const std::string_view dashes = series.colour >= kPlotColours ? " dt 3" : "";
  switch (series.style) {
    case PlotSeries::Style::kLine:
      return fmt::format("using 1:2 with lines lw 2.2{} lc rgb '{}'", dashes, colour);
    case PlotSeries::Style::kFaintLine:
      return fmt::format("using 1:2 with lines lw 0.9 lc rgb '#b0{}'", colour.substr(1));
    case PlotSeries::Style::kMarkedLine:
      return fmt::format("using 1:2 with linespoints lw 2.2{} pt 7 ps 0.6 lc rgb '{}'", dashes,
                         colour);
    case PlotSeries::Style::kErrorBars:
      return fmt::format("using 1:2:3:4 with yerrorbars lw 2.2 pt 7 ps 0.9 lc rgb '{}'", colour);
    case PlotSeries::Style::kBand:
      return fmt::format("using 1:3:4 with filledcurves fs solid noborder fc rgb '#e0{}'",
                         colour.substr(1));
    case PlotSeries::Style::kDashes:
      return fmt::format("using 1:2 with lines lw 1.6 dt 2 lc rgb '{}'", colour);
  }
  return "";
}

/// Nothing but zeros, around which gnuplot would show as much below as above.
bool all_zero(const Plot& plot) {
  return std::all_of(plot.series.begin(), plot.series.end(), [](const PlotSeries& series) {
    return std::all_of(series.points.begin(), series.points.end(), [](const PlotPoint& point) {
      return point.y == 0 && point.low == 0 && point.high == 0;
    });
  });
}

bool is_empty(const PlotSeries& series) {
  return std::none_of(series.points.begin(), series.points.end(), drawable);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string_view plot_colour(int number) {
  return kColours[static_cast<std::size_t>(number) % kColours.size()];
}

std::string gnuplot_script(const Plot& plot) {
  const auto named = static_cast<std::size_t>(
      std::count_if(plot.series.begin(), plot.series.end(),
                    [](const PlotSeries& series) { return !series.title.empty(); }));
  const bool below = named > kMostInside;
  const int height = plot.height + (below ? 22 * static_cast<int>((named + 1) / 2) : 0);
  std::string script = fmt::format(
      "set terminal svg size {},{} dynamic noenhanced font 'sans-serif,15' name '{}'\n"
      "set border 3 lw 0.8\nset tics nomirror out scale 0.6\nset grid ytics lw 0.6 lc rgb "
      "'#999999' dt 3\n"
      "set key {} spacing 1.2 samplen 2\nset offsets graph 0, graph 0, graph 0.08, graph "
      "0.04\n"
      "set xlabel '{}'\nset ylabel '{}'\n",
      plot.width, height, harmless(plot.id), below ? "below" : "top right", harmless(plot.x_label),
      harmless(plot.y_label));
  if (all_zero(plot)) {
    script += "set yrange [0:1]\n";
  } else if (plot.from_zero) {
    script += "set yrange [0:*]\n";
  } else if (plot.percent) {
    script += "set yrange [0<*:*<100]\n";
  }
  if (!plot.x_names.empty()) {
    std::string tics;
    for (std::size_t i = 0; i < plot.x_names.size(); ++i) {
      tics += fmt::format("{}'{}' {}", i == 0 ? "" : ", ", harmless(plot.x_names[i]), i);
    }
    script +=
        fmt::format("set xtics ({})\nset xrange [-0.6:{}.6]\n", tics, plot.x_names.size() - 1);
  }
  std::string plots;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& series = plot.series[i];
    if (is_empty(series)) continue;
    script += data_block(i, series);
    const std::string title = harmless(series.title);
    plots += fmt::format("{}$s{} {} {}", plots.empty() ? "" : ", ", i, style_of(series),
                         title.empty() ? "notitle" : "title '" + title + "'");
  }
  return plots.empty() ? "" : script + "plot " + plots + "\n";
}

std::optional<std::string> draw_svg(const Plot& plot, const std::string& gnuplot) {
  const std::string script = gnuplot_script(plot);
  if (script.empty()) return std::nullopt;
  std::optional<std::string> svg = run_gnuplot(gnuplot, script);
  if (!svg) return std::nullopt;
  const std::size_t begin = svg->find("<svg");
  const std::size_t end = svg->rfind("</svg>");
  if (begin == std::string::npos || end == std::string::npos || end < begin) return std::nullopt;
  std::string picture = svg->substr(begin, end + 6 - begin);
  replace_all(picture, "\"black\"", "\"currentColor\"");
  replace_all(picture, "'black'", "'currentColor'");
  replace_all(picture, "rgb(  0,   0,   0)", "currentColor");
  // Several pictures stand on one page: names inside of them must not meet.
  replace_all(picture, "gpDot", harmless(plot.id) + "Dot");
  replace_all(picture, "gpPt", harmless(plot.id) + "Pt");
  replace_all(picture, "textbox", harmless(plot.id) + "Box");
  return picture;
}

}  // namespace softcot
