#include "evaluation/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "evaluation/report_html.h"

namespace softcot {
namespace {

using Replacement = std::pair<std::string_view, std::string_view>;

constexpr std::array<Replacement, 20> kLatex = {{{"\\", "\\textbackslash{}"},
                                                 {"&", "\\&"},
                                                 {"%", "\\%"},
                                                 {"$", "\\$"},
                                                 {"#", "\\#"},
                                                 {"_", "\\_"},
                                                 {"{", "\\{"},
                                                 {"}", "\\}"},
                                                 {"~", "\\textasciitilde{}"},
                                                 {"^", "\\textasciicircum{}"},
                                                 {"<", "$<$"},
                                                 {">", "$>$"},
                                                 {"±", "$\\pm$"},
                                                 {"×", "$\\times$"},
                                                 {"−", "$-$"},
                                                 {"Δ", "$\\Delta$"},
                                                 {"–", "--"},
                                                 {"…", "\\ldots{}"},
                                                 {"⚠", "(!)"},
                                                 {"∗", "$^{*}$"}}};

std::string heat_style(const Grid& grid, std::size_t line, std::size_t column) {
  if (line >= grid.heat.size() || column - 1 >= grid.heat[line].size()) return "";
  const std::optional<double>& heat = grid.heat[line][column - 1];
  return heat ? fmt::format(" class=\"heat\" style=\"--heat:{:.3f}\"", *heat) : "";
}

}  // namespace

void drop_empty_columns(Grid& grid) {
  for (std::size_t column = grid.heads.size() - 1; column > 0; --column) {
    const bool empty = std::all_of(grid.lines.begin(), grid.lines.end(), [&](const auto& cells) {
      return cells[column].empty() || cells[column] == "–";
    });
    if (!empty) continue;
    const auto at = static_cast<std::ptrdiff_t>(column);
    grid.heads.erase(grid.heads.begin() + at);
    for (auto& cells : grid.lines) cells.erase(cells.begin() + at);
  }
}

std::string html_grid(const Grid& grid) {
  std::string out = "<div class=\"scroll\"><table class=\"figures\">\n<thead><tr>";
  for (const std::string& head : grid.heads) {
    out += "<th scope=\"col\">" + html_text(head) + "</th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < grid.lines.size(); ++i) {
    const auto& cells = grid.lines[i];
    const std::string label = html_text(cells.front());
    out += "<tr><th scope=\"row\">";
    out += grid.links.empty()
               ? label
               : fmt::format("<a href=\"#{}\">{}</a>", html_text(grid.links[i]), label);
    out += "</th>";
    for (std::size_t j = 1; j < cells.size(); ++j) {
      out += fmt::format("<td{}>{}</td>", heat_style(grid, i, j), html_text(cells[j]));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool link = c == '(' && out.ends_with(']');
    if (c == '|' || c == '<' || c == '\\' || link) out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string markdown_grid(const Grid& grid) {
  const auto line_of = [](const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const std::string& cell : cells) line += " " + markdown_cell(cell) + " |";
    return line + "\n";
  };
  std::string out = "## " + markdown_cell(grid.title) + "\n\n" + line_of(grid.heads) + "| --- |";
  for (std::size_t i = 1; i < grid.heads.size(); ++i) out += " ---: |";
  out += "\n";
  for (const auto& line : grid.lines) out += line_of(line);
  return out;
}

std::string latex_text(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Replacement* found = nullptr;
    for (const Replacement& each : kLatex) {
      if (text.compare(at, each.first.size(), each.first) == 0) found = &each;
    }
    if (found != nullptr) {
      out += found->second;
      at += found->first.size();
      continue;
    }
    out += static_cast<unsigned char>(text[at]) < 0x20 ? ' ' : text[at];
    ++at;
  }
  return out;
}

std::string latex_grid(const Grid& grid) {
  const auto line_of = [](const std::vector<std::string>& cells) {
    std::string line;
    for (const std::string& cell : cells) line += (line.empty() ? "" : " & ") + latex_text(cell);
    return line + " \\\\\n";
  };
  std::string out = "\\begin{table}[ht]\n\\centering\n\\caption{" + latex_text(grid.title) +
                    "}\n\\begin{tabular}{l" + std::string(grid.heads.size() - 1, 'r') +
                    "}\n\\hline\n" + line_of(grid.heads) + "\\hline\n";
  for (const auto& line : grid.lines) out += line_of(line);
  return out + "\\hline\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace softcot
