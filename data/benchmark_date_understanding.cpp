#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"
#include "runtime/hash.h"

// Date Understanding has no rationale. An item of either published file is accepted:
//   BIG-Bench Hard: {"input": "…?\nOptions:\n(A) 12/11/1937\n(B) …", "target": "(B)"}
//   BIG-bench:      {"input": "…?", "target_scores": {"05/01/2021": 1, "02/23/2021": 0, …}}
namespace softcot {
namespace {

/// The published order of choices is kept.
void read_lettered_choices(Record& record, const DatasetLine& item) {
  constexpr std::string_view kMark = "\nOptions:\n";
  const std::size_t mark = record.question.rfind(kMark);
  if (mark == std::string::npos) {
    item.refuse("question without its choices", "a line \"Options:\", then \"(A) …\"",
                record.question.substr(0, 40));
  }
  for (const std::string& line :
       trimmed_lines(std::string_view(record.question).substr(mark + kMark.size()))) {
    const std::string letter = fmt::format("({})", static_cast<char>('A' + record.choices.size()));
    if (!line.starts_with(letter)) {
      item.refuse("choice without its letter", letter + " …", line.substr(0, 40));
    }
    record.choices.push_back(trimmed(std::string_view(line).substr(letter.size())));
  }
  record.question = trimmed(record.question.substr(0, mark));
  const std::string target = trimmed(item.text("target"));
  if (target.size() != 3 || target.front() != '(' || target.back() != ')') {
    item.refuse("right choice without brackets", "(A)", target.substr(0, 40));
  }
  record.answer = target[1];
}

/// The published order begins with the right choice in 364 of 369 questions, so choices are ordered
/// by a hash of question and choice.
void read_scored_choices(Record& record, const DatasetLine& item) {
  std::vector<std::pair<std::uint64_t, std::pair<std::string, double>>> choices;
  for (const auto& [choice, score] : item.numbers_by_name("target_scores")) {
    if (score != 0 && score != 1) {
      item.refuse("score of a choice", "0 or 1", fmt::format("{}", score));
    }
    const std::string text = trimmed(choice);
    choices.push_back({hash_number(record.question + "\n" + text), {text, score}});
  }
  std::sort(choices.begin(), choices.end());
  int right = 0;
  for (const auto& [hash, choice] : choices) {
    if (choice.second == 1) {
      ++right;
      record.answer = static_cast<char>('A' + record.choices.size());
    }
    record.choices.push_back(choice.first);
  }
  if (right != 1) item.refuse("number of right choices", "1", std::to_string(right));
}

}  // namespace

void read_date_understanding(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_item(file, "examples", [&](const DatasetLine& item) {
    Record record{.id = item.default_id(),
                  .question = trimmed(item.text("input")),
                  .rationale_steps = {},
                  .answer = "",
                  .type = AnswerType::kChoice,
                  .choices = {}};
    if (item.has("target")) {
      read_lettered_choices(record, item);
    } else {
      read_scored_choices(record, item);
    }
    require_choice(record, item);
    return collector.add(std::move(record), item.where());
  });
}

}  // namespace softcot
