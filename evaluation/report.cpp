#include "evaluation/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "evaluation/figure_text.h"
#include "evaluation/report_html.h"
#include "evaluation/report_training.h"
#include "evaluation/report_votes.h"
#include "evaluation/svg_plot.h"
#include "evaluation/verdict.h"
#include "runtime/counted.h"

namespace softcot {
namespace {

constexpr std::size_t kLongestText = 1500;  // Characters of a question or an answer that are shown.

std::string with_interval(const std::string& value, const std::string& low,
                          const std::string& high) {
  return fmt::format("{}<small>[{}, {}]</small>", value, low, high);
}

std::vector<std::string> table_row(const MethodResult& row) {
  std::vector<std::string> cells = {html_text(row.title), std::to_string(row.questions)};
  if (row.nll_per_token) {
    const Estimate& nll = *row.nll_per_token;
    cells.push_back(with_interval(fmt::format("{:.4f}", nll.value),
                                  fmt::format("{:.3f}", nll.interval.low),
                                  fmt::format("{:.3f}", nll.interval.high)));
  } else {
    cells.emplace_back("–");
  }
  const auto difference = [&](const Estimate& estimate, double scale, int digits,
                              const char* unit) {
    cells.push_back(
        with_interval(signed_text(scale * estimate.value, digits + (scale == 1 ? 1 : 0)) + unit,
                      signed_text(scale * estimate.interval.low, digits),
                      signed_text(scale * estimate.interval.high, digits)));
  };
  if (row.contrast && row.contrast->nll) {
    difference(row.contrast->nll->difference, 1, 3, "");
    difference(row.contrast->nll->relative, 100, 1, " %");
  } else {
    cells.insert(cells.end(), 2, "–");
  }
  for (const char* name : {"strict", "flexible", "reference"}) {
    const auto found = row.accuracy.find(name);
    cells.push_back(found == row.accuracy.end() ? "–" : accuracy_text(found->second));
  }
  cells.push_back(row.contrast ? fmt::format("{:.3g}", row.contrast->holm_p) : "–");
  cells.push_back(
      fmt::format("{:.1f}<small>{} cut off</small>", row.mean_new_tokens, row.truncated));
  return cells;
}

Plot comparison_plot(const Comparison& comparison) {
  Plot plot{.id = "compare",
            .x_label = "",
            .y_label = "NLL (nats per token)",
            .x_names = {},
            .series = {}};
  PlotSeries series{"", PlotSeries::Style::kErrorBars, 0, {}};
  for (const MethodResult& row : comparison.rows) {
    if (row.nll_per_token) {
      series.points.push_back({.x = static_cast<double>(plot.x_names.size()),
                               .y = row.nll_per_token->value,
                               .low = row.nll_per_token->interval.low,
                               .high = row.nll_per_token->interval.high});
    }
    plot.x_names.push_back(row.title);
  }
  plot.series.push_back(std::move(series));
  plot.height = 280;
  return plot;
}

std::string comparison_section(const RunRecord& run, const ReportOptions& options) {
  const Comparison& comparison = *run.comparison;
  const MethodResult* baseline = row_of(comparison, comparison.options.baseline);
  const std::string against =
      html_text(baseline != nullptr ? baseline->title : comparison.options.baseline);
  HtmlTable table{.head = {"Method", "Questions", "NLL per token", "Δ nats", "Δ %", "Strict",
                           "Flexible", "Reference", "McNemar p (Holm)", "New tokens"},
                  .rows = {}};
  for (const MethodResult& row : comparison.rows) table.rows.push_back(table_row(row));
  std::string out = "<h2>Comparison</h2>\n" + html_table(table);
  out += fmt::format(
      "<p class=\"soft\">NLL: negative log-likelihood, in nats per token, of the reference "
      "rationale and answer; "
      "lower is better. Δ: paired difference to {} on the same questions. In brackets: 95 % "
      "intervals, bootstrap "
      "over questions ({} resamples, seed {}), each of one line by itself. Accuracy in % ± "
      "standard "
      "error over questions, or with its 95 % interval, by extractor; McNemar p by Holm over {}; "
      "the "
      "headline extractor, which McNemar's exact test uses, is <b>{}</b>.</p>\n",
      against, comparison.options.bootstrap.resamples, comparison.options.bootstrap.seed,
      counted(verdict_lines(comparison).size(), "line"),
      extractor_name(comparison.options.headline));
  if (const auto words = majority_sentence(comparison); !words.empty()) {
    out += "<p class=\"soft\">" + html_text(words) + "</p>\n";
  }
  const auto svg = draw_svg(comparison_plot(comparison), options.gnuplot);
  out += figure(
      svg,
      "Held-out NLL per token with 95 % intervals over questions. The intervals of two methods "
      "overlap more than their paired difference does: questions differ more than methods do.");
  if (!svg) out += "<p class=\"soft\">No picture: gnuplot is missing or failed here.</p>\n";
  return out;
}

std::string answer_html(const MethodSamples& method, const Sample& sample, Extractor extractor) {
  const ExtractedAnswer& read = sample.read_by(extractor);
  std::string out = "<div class=\"answer\"><h3>" + html_text(method.title) + " ";
  out += read.correct ? "<span class=\"right\">✓ " : "<span class=\"wrong\">✗ ";
  out += read.answer ? html_text(shortened(*read.answer, 80)) : "no answer";
  out += "</span></h3>\n<div class=\"text\">" + html_text(shortened(sample.text, kLongestText)) +
         "</div>";
  out += fmt::format("<p class=\"soft\">{} new tokens, {}", sample.new_tokens,
                     sample.finish == "length" ? "cut off at the limit" : "ended by itself");
  if (sample.answer_nll && sample.target_tokens > 0) {
    out += fmt::format("; NLL of the reference rationale and answer {:.3f} nats per token",
                       *sample.answer_nll / static_cast<double>(sample.target_tokens));
  }
  return out + "</p></div>\n";
}

std::string questions_section(const RunRecord& run, const ReportOptions& options) {
  std::map<std::string, std::vector<std::pair<const MethodSamples*, const Sample*>>> questions;
  for (const MethodSamples& method : run.methods) {
    for (const Sample& sample : method.samples) {
      if (sample.sample_index == 0) questions[sample.question_id].emplace_back(&method, &sample);
    }
  }
  if (questions.empty() || options.questions == 0) return "";
  const Extractor extractor =
      run.comparison ? run.comparison->options.headline : Extractor::kFlexible;
  const std::size_t count = std::min(options.questions, questions.size());
  std::string out =
      "<h2>Some questions</h2>\n<p class=\"soft\">Evenly spaced over all questions, not chosen by "
      "what came out. What the " +
      std::string(extractor_name(extractor)) + " extractor read stands beside each method.</p>\n";
  std::size_t index = 0;
  std::size_t shown = 0;
  for (const auto& [id, answers] : questions) {
    if (index++ != shown * questions.size() / count) continue;
    if (++shown > count) break;
    const Sample& asked = *answers.front().second;
    out += "<section class=\"question\"><p class=\"soft\">" + html_text(shortened(id, 80)) +
           "</p><div class=\"text\">" + html_text(shortened(asked.question, kLongestText)) +
           "</div><p class=\"soft\">Reference answer: <b>" +
           html_text(shortened(asked.reference, 200)) + "</b></p>\n<div class=\"pair\">";
    for (const auto& [method, sample] : answers) out += answer_html(*method, *sample, extractor);
    out += "</div></section>\n";
  }
  return out;
}

std::string provenance_section(const RunRecord& run) {
  std::string out;
  HtmlTable table{.head = {"What", "Value"}, .rows = {}, .numeric = false};
  const auto add = [&](const std::string& what, const std::string& value) {
    if (!value.empty())
      table.rows.push_back({html_text(what), "<code>" + html_text(value) + "</code>"});
  };
  add("evaluated on", run.provenance.task);
  add("trained on", run.provenance.trained_on);
  add("configuration hash", run.provenance.config_hash);
  add("prompt hash", run.provenance.prompt_hash);
  for (const auto& [role, hash] : run.provenance.model_hashes) add(role, hash);
  for (const auto& [program, version] : run.provenance.versions) add(program, version);
  if (run.comparison) add("extractors", std::string(kExtractorVersion));
  if (!table.rows.empty()) out += html_table(table);
  for (const auto& [name, text] : run.configs) {
    out += "<details><summary>Effective configuration: " + html_text(name) + "</summary><pre>" +
           html_text(text) + "</pre></details>\n";
  }
  return out.empty() ? out : "<h2>Made from</h2>\n" + out;
}

}  // namespace

std::vector<std::string> verdict_sentences(const Comparison& comparison) {
  std::vector<VerdictLine> lines = verdict_lines(comparison);
  const auto change = [](const VerdictLine& line) {
    const auto& nll = line.own->contrast->nll;
    return nll ? nll->relative.value : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(lines.begin(), lines.end(), [&](const VerdictLine& a, const VerdictLine& b) {
    return change(a) < change(b);
  });
  std::vector<std::string> sentences;
  for (const VerdictLine& line : lines) sentences.push_back(verdict_sentence(line));
  return sentences;
}

std::string render_report(const RunRecord& run, const ReportOptions& options) {
  std::string body =
      "<h1>" + html_text(run.name) + "</h1>\n<p class=\"soft\">softcot run report</p>\n";
  std::vector<std::string> sentences;
  if (run.comparison) sentences = verdict_sentences(*run.comparison);
  if (sentences.empty()) {
    sentences.emplace_back(
        run.comparison ? "There is no baseline to compare with in these results."
                       : "This run has not been evaluated yet: there is nothing to compare.");
  }
  for (const std::string& sentence : sentences)
    body += "<p class=\"verdict\">" + html_text(sentence) + "</p>\n";
  for (const std::string& remark : run.remarks)
    body += "<p class=\"soft\">" + html_text(remark) + "</p>\n";
  if (run.comparison) {
    body += comparison_section(run, options) + voting_section(*run.comparison, options.gnuplot);
  }
  body += training_section(run, options.gnuplot);
  body += questions_section(run, options);
  body += provenance_section(run);
  return html_page(run.name + " – softcot", body);
}

}  // namespace softcot
