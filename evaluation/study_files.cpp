#include <fmt/format.h>
#include <fmt/ranges.h>

#include "evaluation/figure_text.h"
#include "evaluation/study_page.h"
#include "evaluation/study_tables.h"

namespace softcot {
namespace {

std::string number(double value) { return fmt::format("{:.6g}", value); }

std::string whole(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "";
}

std::vector<std::string> csv_fields(const StudyLine& line) {
  const MethodResult& result = line.result;
  const Accuracy& accuracy = headline_accuracy(result);
  const auto& contrast = result.contrast;
  const Interval* of_all = contrast && contrast->nll_of_all ? &*contrast->nll_of_all : nullptr;
  const Estimate* change = nll_change(result);
  const auto& nll = result.nll_per_token;
  const auto& deviation = result.over_seeds.deviation;
  return {line.task,
          line.method,
          line.label,
          line.trained_on,
          whole(line.thoughts),
          whole(line.eval_thoughts ? line.eval_thoughts : line.thoughts),
          whole(line.assistant_size),
          whole(line.trained_parameters),
          std::to_string(result.questions),
          std::to_string(result.samples),
          std::to_string(line.samples.seeds),
          nll ? number(nll->value) : "",
          nll ? number(nll->interval.low) : "",
          nll ? number(nll->interval.high) : "",
          change ? number(change->value) : "",
          change ? number(change->interval.low) : "",
          change ? number(change->interval.high) : "",
          number(accuracy.value),
          number(accuracy.standard_error),
          deviation ? number(*deviation) : "",
          result.voting ? number(result.voting->majority.back()) : "",
          contrast ? number(contrast->mcnemar_p) : "",
          number(result.mean_new_tokens),
          line.published ? fmt::format("{}", *line.published) : "",
          line.doubt,
          contrast ? std::to_string(contrast->lines) : "",
          contrast ? number(contrast->holm_p) : "",
          of_all ? number(of_all->low) : "",
          of_all ? number(of_all->high) : "",
          std::to_string(result.truncated),
          line.trained_on.empty() ? "" : std::to_string(result.training_nll.size())};
}

}  // namespace

std::string study_csv(const Study& study) {
  std::string out =
      "task,method,label,trained_on,thoughts,eval_thoughts,assistant_parameters,"
      "trained_parameters,questions,samples,seeds,nll_per_token,nll_low,nll_high,nll_relative,"
      "nll_relative_low,nll_relative_high,accuracy,standard_error,sd_over_seeds,majority_vote,"
      "mcnemar_p,mean_new_tokens,published_percent,doubt,lines,holm_p,nll_relative_low_of_all,"
      "nll_relative_high_of_all,cut_off,trainings\n";
  for (const StudyLine& line : study.lines) {
    std::vector<std::string> fields;
    for (const std::string& field : csv_fields(line)) fields.push_back(csv_field(field));
    out += fmt::format("{}\n", fmt::join(fields, ","));
  }
  return out;
}

std::string study_markdown(const Study& study) {
  std::string out = "# " + markdown_cell(study.title) + "\n";
  for (const std::string& task : study.tasks()) {
    const std::string words = study_verdict(study, task);
    if (!words.empty()) out += "\n" + markdown_cell(words) + "\n";
  }
  for (const Grid& grid : study_grids(study)) out += "\n" + markdown_grid(grid);
  Grid sources = sources_grid(study);
  drop_empty_columns(sources);
  return out + "\n" + study_words(study) + "\n\n" + markdown_grid(sources);
}

std::string study_latex(const Study& study) {
  std::string out = "% " + latex_text(study.title) + "\n";
  for (const Grid& grid : study_grids(study)) out += "\n" + latex_grid(grid);
  return out + "\n\\noindent " + latex_text(study_words(study)) + "\n";
}

}  // namespace softcot
