#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace softcot {

struct PlotPoint {
  double x = 0;
  double y = 0;
  double low = 0;  ///< Ends of the error bar; used by kErrorBars and kBand alone.
  double high = 0;
};

/// One line or set of marks. Points that are not finite are left out.
struct PlotSeries {
  enum class Style {
    kLine,        ///< A line through the points.
    kFaintLine,   ///< The same, faint: raw values behind a smoothed line.
    kMarkedLine,  ///< A line with a mark at each point.
    kErrorBars,   ///< A mark and a vertical bar at each point.
    kBand,        ///< The area between the lower and upper ends, faint: behind a line.
    kDashes,      ///< A dashed line: what others are compared with.
  };
  std::string title;  ///< In the legend; empty for none.
  Style style = Style::kLine;
  int colour = 0;  ///< See plot_colour.
  std::vector<PlotPoint> points;
};

struct Plot {
  std::string id;  ///< Letters; keeps the names inside of several pictures on one page apart.
  std::string x_label;
  std::string y_label;
  /// Names in the place of numbers on the x axis, the first at 0; empty for numbers.
  std::vector<std::string> x_names;
  std::vector<PlotSeries> series;
  bool from_zero = false;  ///< The y axis begins at 0, not near the lowest point.
  bool percent = false;    ///< The y axis leaves neither 0 nor 100 behind.
  int width = 760;         ///< Units of the view box; the picture grows and shrinks with the page.
  int height = 320;
};

/// With numbers from here on the colours begin again, and lines are dashed.
inline constexpr int kPlotColours = 8;
/// "#3b82c4": the colour of that number, readable on white and on black.
std::string_view plot_colour(int number);

/// What gnuplot is told. Texts are cut down to letters, digits, spaces and ".,:%()+-/", so that
/// none of them can be an instruction.
std::string gnuplot_script(const Plot& plot);

/// The picture as an <svg> element to stand in a page: no prolog, no fixed size, text and axes in
/// the page's own colour. Nothing where gnuplot cannot make it.
std::optional<std::string> draw_svg(const Plot& plot, const std::string& gnuplot);

}  // namespace softcot
