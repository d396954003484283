#include <fmt/format.h>

#include "evaluation/figure_text.h"
#include "evaluation/grid.h"
#include "evaluation/result_table.h"
#include "evaluation/verdict.h"

namespace softcot {
namespace {

std::string number(double value) { return fmt::format("{:.6g}", value + 0.0); }  // Not "-0".

/// A second table, of votes among k samples; nothing where no method has several.
std::string voting_markdown(const Comparison& comparison) {
  const std::size_t most = most_votes(comparison);
  if (most == 0) return "";
  std::string head = "\n| right, in %, out of k samples |  |";
  std::string rule = "| --- | --- |";
  for (std::size_t k = 1; k <= most; ++k) {
    head += fmt::format(" {} |", k);
    rule += " ---: |";
  }
  std::string out = head + "\n" + rule + "\n";
  for (const MethodResult& row : comparison.rows) {
    if (!row.voting) continue;
    const auto line = [&](const char* what, const std::vector<double>& curve) {
      out += fmt::format("| {} | {} |", markdown_cell(row.title), what);
      for (std::size_t k = 0; k < most; ++k) {
        out += k < curve.size() ? fmt::format(" {} |", percent(curve[k])) : "  |";
      }
      out += "\n";
    };
    line("majority vote", row.voting->majority);
    line("pass@k", row.voting->pass);
  }
  return out;
}

}  // namespace

std::string format_csv(const Comparison& comparison) {
  std::string out =
      "method,title,questions,samples,nll_per_token,nll_low,nll_high,nll_difference,"
      "nll_difference_low,nll_difference_high";
  for (const char* extractor : {"flexible", "reference", "strict"}) {
    out += fmt::format(",accuracy_{0},accuracy_{0}_standard_error", extractor);
  }
  out +=
      ",accuracy_difference,accuracy_difference_low,accuracy_difference_high,mcnemar_p,seeds,"
      "accuracy_sd_over_seeds,majority_vote,pass_at,mean_new_tokens,cut_off,compat,baseline";
  const std::size_t most = most_votes(comparison);
  for (std::size_t k = 1; k <= most; ++k) out += fmt::format(",vote_{0},pass_{0}", k);
  out += "\n";
  for (const MethodResult& row : comparison.rows) {
    std::vector<std::string> fields = {row.method, row.title, std::to_string(row.questions),
                                       std::to_string(row.samples)};
    const auto estimate = [&](const Estimate* value) {
      for (int i = 0; i < 3; ++i) fields.emplace_back();
      if (value == nullptr) return;
      fields[fields.size() - 3] = number(value->value);
      fields[fields.size() - 2] = number(value->interval.low);
      fields[fields.size() - 1] = number(value->interval.high);
    };
    estimate(row.nll_per_token ? &*row.nll_per_token : nullptr);
    const bool contrasted = row.contrast && row.contrast->nll;
    estimate(contrasted ? &row.contrast->nll->difference : nullptr);
    for (const char* extractor : {"flexible", "reference", "strict"}) {
      const auto found = row.accuracy.find(extractor);
      const bool there = found != row.accuracy.end();
      fields.push_back(there ? number(found->second.value) : "");
      fields.push_back(there ? number(found->second.standard_error) : "");
    }
    estimate(row.contrast ? &row.contrast->accuracy : nullptr);
    fields.push_back(row.contrast ? number(row.contrast->mcnemar_p) : "");
    fields.push_back(std::to_string(row.over_seeds.count));
    fields.push_back(row.over_seeds.deviation ? number(*row.over_seeds.deviation) : "");
    fields.push_back(row.voting ? number(row.voting->majority.back()) : "");
    fields.push_back(row.voting ? number(row.voting->pass.back()) : "");
    fields.push_back(number(row.mean_new_tokens));
    fields.push_back(std::to_string(row.truncated));
    fields.push_back(quirks_name(row.quirks));
    fields.push_back(row.contrast ? row.baseline : "");
    for (std::size_t k = 0; k < most; ++k) {
      const bool there = row.voting && k < row.voting->majority.size();
      fields.push_back(there ? number(row.voting->majority[k]) : "");
      fields.push_back(there ? number(row.voting->pass[k]) : "");
    }
    for (std::size_t i = 0; i < fields.size(); ++i)
      out += (i == 0 ? "" : ",") + csv_field(fields[i]);
    out += "\n";
  }
  return out;
}

std::string format_markdown(const Comparison& comparison) {
  const std::string extractor(extractor_name(comparison.options.headline));
  std::string out = fmt::format(
      "| method | questions | NLL per token | Δ % [95 %] | accuracy %, {} | McNemar p |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: |\n",
      extractor);
  for (const MethodResult& row : comparison.rows) {
    out += fmt::format("| {} | {} | {} |", markdown_cell(row.title), row.questions,
                       row.nll_per_token ? fmt::format("{:.4f}", row.nll_per_token->value) : "–");
    if (row.contrast && row.contrast->nll) {
      out += " " + change_text(row.contrast->nll->relative) + " |";
    } else {
      out += " – |";
    }
    const auto headline = headline_of(comparison.options, row.quirks);
    const std::string by = headline == comparison.options.headline
                               ? ""
                               : fmt::format(" ({})", extractor_name(headline));
    const auto found = row.accuracy.find(std::string(extractor_name(headline)));
    out += found == row.accuracy.end() ? " – |"
                                       : fmt::format(" {}{} |", accuracy_text(found->second), by);
    out += row.contrast ? fmt::format(" {:.3g} |\n", row.contrast->mcnemar_p) : " – |\n";
  }
  const std::string verdict = best_line_sentence(verdict_lines(comparison));
  if (!verdict.empty()) out += "\n" + markdown_cell(verdict) + "\n";
  out += voting_markdown(comparison);
  if (const auto words = majority_sentence(comparison); !words.empty()) out += "\n" + words + "\n";
  for (const MethodResult& row : comparison.rows) {
    if (row.skipped == 0) continue;
    out += fmt::format("\n{}: {}\n", markdown_cell(row.title), skipped_text(row));
  }
  return out;
}

}  // namespace softcot
