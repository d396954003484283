#include <fmt/format.h>

#include <array>
#include <string_view>

#include "evaluation/result_table.h"

namespace softcot {
namespace {

// Widths of the columns; with the gaps between them 100 in all.
constexpr std::array<std::size_t, 8> kWidths = {21, 5, 14, 16, 16, 12, 6, 3};
constexpr std::string_view kMinus = "−";

using Cells = std::array<std::string, 8>;

std::size_t columns_of(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

// At most `width` characters, none of them a control character.
std::string fitted(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t count = 0;
  for (const char c : text) {
    const bool first = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (first && ++count > width) break;
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return out;
}

std::string line_of(const Cells& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = fitted(cells[i], kWidths[i]);
    const std::string gap(kWidths[i] - columns_of(cell), ' ');
    if (i > 0) line += ' ';
    line += i == 0 ? cell + gap : gap + cell;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line + "\n";
}

std::string signed_number(double value, int digits) {
  const std::string text = fmt::format("{:+.{}f}", value, digits);
  return text[0] == '-' ? std::string(kMinus) + text.substr(1) : text;
}

std::string interval_of(const Interval& interval, int digits) {
  return fmt::format("[{:.{}f}, {:.{}f}]", interval.low, digits, interval.high, digits);
}

std::string signed_interval(const Interval& interval, double scale, int digits) {
  return fmt::format("[{}, {}]", signed_number(scale * interval.low, digits),
                     signed_number(scale * interval.high, digits));
}

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

std::string rows_of(const MethodResult& row, const std::string& extractor) {
  Cells figures = {row.title,
                   std::to_string(row.questions),
                   "–",
                   "–",
                   "–",
                   "–",
                   fmt::format("{:.1f}", row.mean_new_tokens),
                   std::to_string(row.truncated)};
  Cells intervals;
  if (row.nll_per_token) {
    figures[2] = fmt::format("{:.4f}", row.nll_per_token->value);
    intervals[2] = interval_of(row.nll_per_token->interval, 3);
  }
  if (row.contrast && row.contrast->nll) {
    const PairedRatios& nll = *row.contrast->nll;
    figures[3] = signed_number(nll.difference.value, 4);
    intervals[3] = signed_interval(nll.difference.interval, 1, 3);
    figures[4] = signed_number(100 * nll.relative.value, 1) + " %";
    intervals[4] = signed_interval(nll.relative.interval, 100, 1);
  }
  if (const auto found = row.accuracy.find(extractor); found != row.accuracy.end()) {
    const Accuracy& accuracy = found->second;
    figures[5] = fmt::format("{} ± {}", percent(accuracy.value), percent(accuracy.standard_error));
    intervals[5] = fmt::format("[{}, {}]", percent(accuracy.interval95.low),
                               percent(accuracy.interval95.high));
  }
  return line_of(figures) + line_of(intervals);
}

// "1: 3.1, 2: 4.0, 4: 5.2": powers of two, and the last.
std::string curve_of(const std::vector<double>& curve) {
  std::string text;
  for (std::size_t k = 1; k <= curve.size(); ++k) {
    if ((k & (k - 1)) != 0 && k != curve.size()) continue;
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", k, percent(curve[k - 1]));
  }
  return text;
}

// What several samples or seeds say of a method; nothing for one of each.
std::string over_samples(const MethodResult& row) {
  std::string words;
  if (row.over_seeds.deviation) {
    words += fmt::format(" {} seeds: {} ± {} % (mean ± sd).", row.over_seeds.count,
                         percent(row.over_seeds.mean), percent(*row.over_seeds.deviation));
  }
  if (row.voting) {
    words += fmt::format(" Right by the vote of k samples, in %: {}. A right one among k: {}.",
                         curve_of(row.voting->majority), curve_of(row.voting->pass));
  }
  return words;
}

// Wraps words at 100 columns.
std::string paragraph(const std::string& text) {
  std::string out;
  std::string line;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && columns_of(line) + 1 + columns_of(word) > 100) {
      out += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return out + line + "\n";
}

std::string title_of(const Comparison& comparison, const std::string& method) {
  for (const MethodResult& row : comparison.rows) {
    if (row.method == method) return fitted(row.title, 40);
  }
  return fitted(method, 40);
}

}  // namespace

std::string format_table(const Comparison& comparison) {
  const std::string extractor(extractor_name(comparison.options.headline));
  const std::string baseline = title_of(comparison, comparison.options.baseline);
  std::string rule;
  for (int i = 0; i < 100; ++i) rule += "─";
  rule += "\n";
  std::string out = line_of(
      {"Method", "Quest", "NLL per token", "Δ nats/token", "Δ %", "Accuracy %", "New", "Cut"});
  out += line_of({"", "ions", "", "", "", extractor, "tokens", "off"}) + rule;
  for (const MethodResult& row : comparison.rows) out += rows_of(row, extractor);
  out += rule;
  out += paragraph(fmt::format(
      "NLL: negative log-likelihood in nats per token of the reference rationale and answer, lower "
      "is "
      "better. Δ: paired difference to {} on the same questions. In brackets 95 % intervals: "
      "bootstrap "
      "over questions ({} resamples, seed {}), Wilson for accuracy. Accuracy ± standard error over "
      "questions, {} extractor.",
      baseline, comparison.options.bootstrap.resamples, comparison.options.bootstrap.seed,
      extractor));
  for (const MethodResult& row : comparison.rows) {
    std::string words = fitted(row.title, 40) + ":";
    for (const auto& [name, accuracy] : row.accuracy) {
      words += fmt::format(" {} {} %,", name, percent(accuracy.value));
    }
    if (row.contrast) {
      const Contrast& contrast = *row.contrast;
      words += fmt::format(
          " paired over {} questions; only it right {}, only {} right {}, McNemar p = {:.3g}.",
          contrast.questions, contrast.only_this, baseline, contrast.only_baseline,
          contrast.mcnemar_p);
    }
    if (words.back() == ',') words.back() = '.';
    out += paragraph(words + over_samples(row));
  }
  return out;
}

}  // namespace softcot
