#include <fmt/format.h>

#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// BIG-bench Date Understanding: {"examples": [{"input", "target_scores": {"05/01/2021": 1, …}}]}.
// The published order would give the answer away (it is the first), so choices are in the order of
// their texts. There is no rationale.
namespace softcot {

void read_date_understanding(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_item(file, "examples", [&](const DatasetLine& item) {
    Record record{.id = item.default_id(),
                  .question = trimmed(item.text("input")),
                  .rationale_steps = {},
                  .answer = "",
                  .type = AnswerType::kChoice,
                  .choices = {}};
    int right = 0;
    for (const auto& [choice, score] : item.numbers_by_name("target_scores")) {
      if (score == 1) {
        ++right;
        record.answer = static_cast<char>('A' + record.choices.size());
      } else if (score != 0) {
        item.refuse("score of a choice", "0 or 1", fmt::format("{}", score));
      }
      record.choices.push_back(trimmed(choice));
    }
    if (right != 1) item.refuse("number of right choices", "1", std::to_string(right));
    require_choice(record, item);
    return collector.add(std::move(record), item.where());
  });
}

}  // namespace softcot
