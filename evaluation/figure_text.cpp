#include "evaluation/figure_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace softcot {

std::string number_text(double value, int digits) {
  const std::string text = fmt::format("{:.{}f}", value, digits);
  const bool zero = text.find_first_of("123456789") == std::string::npos;
  return zero && text[0] == '-' ? text.substr(1) : text;
}

std::string percent(double share) { return number_text(100 * share, 1); }

std::string signed_text(double value, int digits) {
  const std::string text = number_text(value, digits);
  if (text[0] == '-') return "−" + text.substr(1);
  return text.find_first_of("123456789") == std::string::npos ? text : "+" + text;
}

int change_digits(const Interval& interval) {
  constexpr int kMost = 4;
  const double largest = 100 * std::max(std::abs(interval.low), std::abs(interval.high));
  for (int digits = 1; digits <= kMost; ++digits) {
    if (signed_text(largest, digits)[0] == '+') return digits;  // Not all digits are 0.
  }
  return 1;
}

std::string change_text(const Estimate& change) {
  const int digits = change_digits(change.interval);
  return fmt::format("{} [{}, {}]", signed_text(100 * change.value, digits),
                     signed_text(100 * change.interval.low, digits),
                     signed_text(100 * change.interval.high, digits));
}

std::string accuracy_text(const Accuracy& accuracy) {
  const std::string error = percent(accuracy.standard_error);
  if (error != percent(0)) return fmt::format("{} ± {}", percent(accuracy.value), error);
  return fmt::format("{} [{}, {}]", percent(accuracy.value), percent(accuracy.interval95.low),
                     percent(accuracy.interval95.high));
}

std::string accuracy_text(const MethodResult& result) {
  const std::string text = accuracy_text(headline_accuracy(result));
  const auto& deviation = result.over_seeds.deviation;
  if (!deviation || percent(*deviation) == percent(0)) return text;
  return fmt::format("{} ({} sd)", text, percent(*deviation));
}

std::string nll_text(const MethodResult& result) {
  const auto& nll = result.nll_per_token;
  return nll ? fmt::format("{:.4f}", nll->value) : kNoFigure;
}

const Estimate* nll_change(const MethodResult& result) {
  const bool there = result.contrast && result.contrast->nll;
  return there ? &result.contrast->nll->relative : nullptr;
}

std::string skipped_text(const MethodResult& result) {
  if (result.skipped == 0) return "";
  return fmt::format(
      "{} left out: longer than data.max-length.",
      result.skipped == 1 ? "1 question is" : fmt::format("{} questions are", result.skipped));
}

std::string majority_text(const MethodResult& result) {
  if (!result.majority_class) return "";
  return fmt::format("always {}: {} %", result.majority_class->answer,
                     percent(result.majority_class->share));
}

std::string majority_sentence(const Comparison& comparison) {
  std::set<std::string> texts;  // More than one where methods left out different questions.
  for (const MethodResult& row : comparison.rows) {
    if (row.majority_class) texts.insert(majority_text(row));
  }
  if (texts.empty()) return "";
  return fmt::format("Accuracy of the majority class: {}.", fmt::join(texts, ", "));
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string paragraph(const std::string& text) {
  std::string out;
  std::string line;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && columns_of(line) + 1 + columns_of(word) > kColumns) {
      out += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return out + line + "\n";
}

}  // namespace softcot
