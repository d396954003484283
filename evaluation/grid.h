#pragma once

#include <optional>
#include <string>
#include <vector>

namespace softcot {

/// A heading and lines of cells as people read them; the first cell of each line is its label.
struct Grid {
  std::string title;
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> lines;  ///< Each as long as `heads`.
  /// Names of places on the page that the labels lead to; empty, or one for each line.
  std::vector<std::string> links = {};
  /// How strongly each cell but the label is coloured, 0 … 1; empty, or one list for each line.
  std::vector<std::vector<std::optional<double>>> heat = {};
};

/// Drops the columns, but for the first, in which no line says anything: "" or "–". Of a grid
/// without heat.
void drop_empty_columns(Grid& grid);

// Pure; cells may hold any text.

/// A table without its title, which scrolls sideways on narrow screens.
std::string html_grid(const Grid& grid);
/// The title as a heading of the second level, and the table.
std::string markdown_grid(const Grid& grid);
/// A table environment with the title as caption; needs no package.
std::string latex_grid(const Grid& grid);

/// Text on one line of a Markdown table.
std::string markdown_cell(const std::string& text);
/// Text as LaTeX that prints it.
std::string latex_text(const std::string& text);

}  // namespace softcot
