#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "evaluation/figure_text.h"
#include "evaluation/result_table.h"
#include "evaluation/verdict.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

// Widths of the columns; with the gaps between them 100 in all.
constexpr std::array<std::size_t, 8> kWidths = {21, 5, 14, 16, 16, 12, 6, 3};

using Cells = std::array<std::string, 8>;

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

std::string interval_of(const Interval& interval, int digits) {
  return fmt::format("[{}, {}]", number_text(interval.low, digits),
                     number_text(interval.high, digits));
}

std::string signed_interval(const Interval& interval, double scale, int digits) {
  return fmt::format("[{}, {}]", signed_text(scale * interval.low, digits),
                     signed_text(scale * interval.high, digits));
}

// A title over two lines where one is too short for it.
std::pair<std::string, std::string> two_lines(const std::string& title) {
  const std::string whole = fitted(title, 2 * kWidths[0]);
  if (columns_of(whole) <= kWidths[0]) return {whole, ""};
  const std::size_t space = fitted(whole, kWidths[0] + 1).rfind(' ');
  const std::size_t end = space == std::string::npos ? fitted(whole, kWidths[0]).size() : space;
  return {whole.substr(0, end), whole.substr(end + (space == std::string::npos ? 0 : 1))};
}

std::string rows_of(const MethodResult& row, const std::string& extractor) {
  const auto [title, rest] = two_lines(row.title);
  Cells figures = {title,
                   std::to_string(row.questions),
                   "–",
                   "–",
                   "–",
                   "–",
                   fmt::format("{:.1f}", row.mean_new_tokens),
                   std::to_string(row.truncated)};
  Cells intervals = {rest};
  if (row.nll_per_token) {
    figures[2] = fmt::format("{:.4f}", row.nll_per_token->value);
    intervals[2] = interval_of(row.nll_per_token->interval, 3);
  }
  if (row.contrast && row.contrast->nll) {
    const PairedRatios& nll = *row.contrast->nll;
    figures[3] = signed_text(nll.difference.value, 4);
    intervals[3] = signed_interval(nll.difference.interval, 1, 3);
    figures[4] = signed_text(100 * nll.relative.value, 1) + " %";
    intervals[4] = signed_interval(nll.relative.interval, 100, 1);
  }
  if (const auto found = row.accuracy.find(extractor); found != row.accuracy.end()) {
    const Accuracy& accuracy = found->second;
    // Its interval stands below.
    const bool error = percent(accuracy.standard_error) != percent(0);
    figures[5] = error ? accuracy_text(accuracy) : percent(accuracy.value);
    const std::string high = percent(accuracy.interval95.high);
    intervals[5] = fmt::format("[{}, {}]", percent(accuracy.interval95.low),
                               high == percent(1) ? "100" : high);  // The column is narrow.
  }
  return line_of(figures) + line_of(intervals);
}

// "8", or "8/5/7" under three seeds.
std::string by_seed(const Contrast& contrast, std::size_t Discordance::*count) {
  std::string text;
  for (const Discordance& seed : contrast.seeds) {
    text += fmt::format("{}{}", text.empty() ? "" : "/", seed.*count);
  }
  return text;
}

// What several seeds say of a method; nothing for one.
std::string over_seeds(const MethodResult& row) {
  if (!row.over_seeds.deviation) return "";
  if (percent(*row.over_seeds.deviation) == percent(0)) {
    return fmt::format(" {} seeds: {} % each.", row.over_seeds.count, percent(row.over_seeds.mean));
  }
  return fmt::format(" {} seeds: {} ± {} % (mean ± sd).", row.over_seeds.count,
                     percent(row.over_seeds.mean), percent(*row.over_seeds.deviation));
}

// The numbers of samples that a table of votes shows: all up to eight, else powers of two and the
// last, at most eleven.
std::vector<std::size_t> shown_counts(const Comparison& comparison) {
  const std::size_t most = most_votes(comparison);
  std::vector<std::size_t> counts;
  for (std::size_t k = 1; k <= most; ++k) {
    const bool power = (k & (k - 1)) == 0;
    if (most <= 8 || k == most || (power && counts.size() < 10)) counts.push_back(k);
  }
  return counts;
}

// One line a method and curve; nothing where no method has several samples.
std::string voting_table(const Comparison& comparison) {
  const auto counts = shown_counts(comparison);
  if (counts.empty()) return "";
  std::string out = fmt::format("{:<33}", "\nRight, in %, out of k samples");
  for (const std::size_t k : counts) out += fmt::format("{:>6}", k);
  out += "\n";
  for (const MethodResult& row : comparison.rows) {
    if (!row.voting) continue;
    const auto line = [&](const std::string& title, const char* what,
                          const std::vector<double>& curve) {
      const std::string name = fitted(title, 25);
      out += name + std::string(26 - columns_of(name), ' ') + what;
      for (const std::size_t k : counts) {
        out += fmt::format("{:>6}", k <= curve.size() ? percent(curve[k - 1]) : "");
      }
      out += "\n";
    };
    line(row.title, "vote  ", row.voting->majority);
    line("", "pass@k", row.voting->pass);
  }
  return out + "\n";
}

// ", but reference for Zero-shot CoT (reference scoring)": rows that are read differently.
std::string other_extractor(const Comparison& comparison) {
  std::string rows;
  for (const MethodResult& row : comparison.rows) {
    const Extractor headline = headline_of(comparison.options, row.quirks);
    if (headline == comparison.options.headline) continue;
    rows += fmt::format("{} {}", rows.empty() ? ", but reference for" : ",", fitted(row.title, 40));
  }
  return rows;
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
  for (const MethodResult& row : comparison.rows) {
    const auto headline = headline_of(comparison.options, row.quirks);
    out += rows_of(row, std::string(extractor_name(headline)));
  }
  out += rule + voting_table(comparison);
  out += paragraph(fmt::format(
      "NLL: negative log-likelihood in nats per token of the reference rationale and answer, lower "
      "is "
      "better. Δ: paired difference to {} on the same questions. In brackets 95 % intervals: "
      "bootstrap "
      "over questions ({} resamples, seed {}), Wilson for accuracy. Accuracy ± standard error over "
      "questions, extractor: {}.",
      baseline, comparison.options.bootstrap.resamples, comparison.options.bootstrap.seed,
      extractor + other_extractor(comparison)));
  if (const auto words = majority_sentence(comparison); !words.empty()) out += paragraph(words);
  for (const MethodResult& row : comparison.rows) {
    std::string words = fitted(row.title, 40) + ":";
    for (const auto& [name, accuracy] : row.accuracy) {
      words += fmt::format(" {} {} %,", name, percent(accuracy.value));
    }
    if (row.contrast) {
      const Contrast& contrast = *row.contrast;
      words += fmt::format(
          " paired over {}{}{}; only it right {}, only {} right {}, McNemar p = {:.3g}.",
          counted(contrast.questions, "question"),
          contrast.votes > 1 ? fmt::format(" by the vote of {} samples", contrast.votes) : "",
          contrast.seeds.size() > 1 ? fmt::format(" under each of {} seeds", contrast.seeds.size())
                                    : "",
          by_seed(contrast, &Discordance::only_left), title_of(comparison, row.baseline),
          by_seed(contrast, &Discordance::only_right), contrast.mcnemar_p);
      if (contrast.lines > 1) {
        words.pop_back();
        words += fmt::format(", over {} lines by Holm {:.3g}.", contrast.lines, contrast.holm_p);
      }
    }
    if (words.back() == ',') words.back() = '.';
    out += paragraph(words + over_seeds(row) + (row.skipped > 0 ? " " + skipped_text(row) : ""));
  }
  std::vector<VerdictLine> lines = verdict_lines(comparison);
  for (VerdictLine& line : lines) line.label = fitted(line.label, 40);
  const std::string verdict = best_line_sentence(lines);
  if (!verdict.empty()) out += paragraph(fitted(verdict, verdict.size()));
  return out;
}

}  // namespace softcot
