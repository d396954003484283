#include <fmt/format.h>

#include <algorithm>

#include "evaluation/report_html.h"
#include "evaluation/study_browser.h"
#include "evaluation/study_page.h"

namespace softcot {
namespace {

constexpr std::size_t kLongestText = 6000;  // Characters of one text that are shown.

/// Numbers in ids in their order: "test:9" before "test:10".
struct ById {
  bool operator()(const std::string& left, const std::string& right) const {
    return left.size() != right.size() ? left.size() < right.size() : left < right;
  }
};

/// One line's samples of one question, in their order.
struct Answered {
  const StudyLine* line = nullptr;
  std::vector<const Sample*> samples;
};

using Questions = std::map<std::string, std::vector<Answered>, ById>;

Questions questions_of(const Study& study, const std::string& task) {
  Questions questions;
  for (const StudyLine* line : study.lines_of(task)) {
    for (const Sample& sample : line->samples.samples) {
      auto& answered = questions[sample.question_id];
      if (answered.empty() || answered.back().line != line) answered.push_back({line, {}});
      answered.back().samples.push_back(&sample);
    }
  }
  for (auto& [id, answered] : questions) {
    for (Answered& each : answered) {
      std::sort(each.samples.begin(), each.samples.end(),
                [](const Sample* a, const Sample* b) { return a->sample_index < b->sample_index; });
    }
  }
  return questions;
}

const std::string* prompt_of(const Study& study, const Answered& answered) {
  for (const std::size_t cell : answered.line->cells) {
    const auto& prompts = study.cells[cell].prompts;
    const auto found = prompts.find(answered.samples.front()->prompt_hash);
    if (found != prompts.end()) return &found->second;
  }
  return nullptr;
}

std::string text_block(const std::string& text) {
  return "<div class=\"text\">" + html_text(shortened(text, kLongestText)) + "</div>\n";
}

std::string reading(const ExtractedAnswer& read) {
  return fmt::format("<span class=\"{}\">{} {}</span>", read.correct ? "right" : "wrong",
                     read.correct ? "✓" : "✗",
                     read.answer ? html_text(shortened(*read.answer, 80)) : "no answer");
}

std::string measures(const Sample& sample) {
  std::string out = fmt::format("<p class=\"soft\">{} new tokens, {}", sample.new_tokens,
                                sample.finish == "length" ? "cut off" : "ended by itself");
  if (sample.answer_nll && sample.target_tokens > 0) {
    out += fmt::format("; NLL of the reference rationale and answer {:.3f} nats per token",
                       *sample.answer_nll / static_cast<double>(sample.target_tokens));
  }
  return out + "</p>\n";
}

/// Each prompt of a question once, with the methods that were asked with it.
std::string prompts_block(const Study& study, const std::vector<Answered>& answers) {
  std::vector<std::vector<const Answered*>> groups;
  for (const Answered& answered : answers) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& same) {
      return same[0]->samples[0]->prompt_hash == answered.samples[0]->prompt_hash;
    });
    (group == groups.end() ? groups.emplace_back() : *group).push_back(&answered);
  }
  std::string out =
      "<details class=\"prompts\"><summary>Prompts as the models saw them</summary>\n";
  for (const auto& group : groups) {
    std::string labels;
    const std::string* prompt = nullptr;
    for (const Answered* answered : group) {
      labels += (labels.empty() ? "" : ", ") + answered->line->label;
      if (prompt == nullptr) prompt = prompt_of(study, *answered);
    }
    out += "<h3>" + html_text(labels) + "</h3>\n";
    out += prompt != nullptr
               ? "<pre class=\"text\">" + html_text(shortened(*prompt, kLongestText)) + "</pre>\n"
               : "<p class=\"soft\">Its text was not kept; its hash is <code>" +
                     html_text(group[0]->samples[0]->prompt_hash) + "</code>.</p>\n";
  }
  return out + "</details>\n";
}

std::string answer_block(const Answered& answered, std::size_t number) {
  const Extractor extractor = headline_of({}, answered.line->samples.quirks);
  const Sample& first = *answered.samples.front();
  const ExtractedAnswer& read = first.read_by(extractor);
  std::string out = fmt::format(
      "<div class=\"answer\" data-line=\"{}\" data-right=\"{}\" data-answer=\"{}\">\n<h3>{} "
      "{}</h3>\n",
      number, read.correct ? 1 : 0, html_text(read.answer.value_or("")),
      html_text(answered.line->label), reading(read));
  out += text_block(first.text) + measures(first);
  if (answered.samples.size() > 1) {
    out += fmt::format("<details><summary>{} more</summary>\n", answered.samples.size() - 1);
    for (std::size_t i = 1; i < answered.samples.size(); ++i) {
      const Sample& sample = *answered.samples[i];
      out += "<p>" + reading(sample.read_by(extractor)) + "</p>\n" + text_block(sample.text);
    }
    out += "</details>\n";
  }
  return out + "</div>\n";
}

std::string choice(const std::string& value, const std::string& words) {
  return "<option value=\"" + html_text(value) + "\">" + html_text(words) + "</option>";
}

/// Hidden until the script makes it work.
std::string controls(const Study& study, const std::vector<std::string>& labels) {
  std::string lines;
  for (std::size_t i = 0; i < labels.size(); ++i) lines += choice(std::to_string(i), labels[i]);
  const auto selection = [](const char* words, const char* name, const std::string& choices) {
    return fmt::format("<label>{}<select name=\"{}\">{}</select></label>\n", words, name, choices);
  };
  std::string out = "<form class=\"controls\" autocomplete=\"off\" hidden>\n";
  if (study.tasks().size() > 1) {
    std::string tasks = choice("", "all");
    for (const std::string& task : study.tasks()) tasks += choice(task, task);
    out += selection("Task", "task", tasks);
  }
  out += selection("Method", "first", choice("", "all") + lines);
  out += selection("Beside", "second", choice("", "none") + lines);
  out += selection(
      "Show", "show",
      choice("all", "all questions") + choice("right", "all of them right") +
          choice("wrong", "all of them wrong") + choice("split", "some right, some wrong") +
          choice("first", "only the first right") + choice("second", "only the second right") +
          choice("answers", "their answers differ"));
  return out +
         "<label>Search<input type=\"search\" "
         "name=\"search\"></label>\n<output></output>\n</form>\n";
}

}  // namespace

std::string samples_page(const Study& study, std::size_t questions) {
  std::vector<std::string> labels;
  for (const StudyLine& line : study.lines) {
    if (std::find(labels.begin(), labels.end(), line.label) == labels.end()) {
      labels.push_back(line.label);
    }
  }
  std::string list;
  std::size_t shown = 0;
  std::size_t all = 0;
  for (const std::string& task : study.tasks()) {
    const Questions known = questions_of(study, task);
    const std::size_t count = questions == 0 ? known.size() : std::min(questions, known.size());
    all += known.size();
    std::size_t index = 0;
    std::size_t taken = 0;
    for (const auto& [id, answers] : known) {
      if (index++ != taken * known.size() / std::max<std::size_t>(count, 1)) continue;
      if (++taken > count) break;
      ++shown;
      const Sample& asked = *answers.front().samples.front();
      list += fmt::format(
          "<section class=\"question\" data-task=\"{}\">\n<p class=\"soft\">{}, {}</p>\n",
          html_text(task), html_text(task), html_text(id));
      list += text_block(asked.question) + "<p>Answer: <b>" +
              html_text(shortened(asked.reference, 200)) + "</b></p>\n<div class=\"answers\">\n";
      for (const Answered& answered : answers) {
        const auto at = std::find(labels.begin(), labels.end(), answered.line->label);
        list += answer_block(answered, static_cast<std::size_t>(at - labels.begin()));
      }
      list += "</div>\n" + prompts_block(study, answers) + "</section>\n";
    }
  }
  const std::string body = fmt::format(
      "<h1>{}</h1>\n<p class=\"soft\">What the methods wrote: {} of {} questions{}. What was read "
      "as "
      "the answer stands beside each method, and whether it is right. Filters and marks go by the "
      "first sample of each. <a href=\"report.html\">The report</a></p>\n{}{}",
      html_text(study.title), shown, all,
      shown < all ? ", evenly spaced, not chosen by what came out" : "", controls(study, labels),
      list);
  return html_page(study.title + ", samples – softcot", body, &kBrowserScript);
}

}  // namespace softcot
