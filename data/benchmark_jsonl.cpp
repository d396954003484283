#include <fmt/format.h>

#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// The user's own questions: {"question", "rationale", "answer", "type"} and, if wanted, "id" and
// "choices".
namespace softcot {

void read_own_jsonl(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_line(file, [&](const DatasetLine& line) {
    Record record{.id = line.has("id") ? line.text_or_number("id") : line.default_id(),
                  .question = trimmed(line.text("question")),
                  .rationale_steps = line.lines("rationale"),
                  .answer = trimmed(line.text_or_number("answer")),
                  .type = answer_type_of(line.text("type"), line.where()),
                  .choices = {}};
    if (record.type == AnswerType::kChoice) {
      record.choices = line.texts("choices");
      const std::size_t count = record.choices.size();
      const bool letter = record.answer.size() == 1 && record.answer[0] >= 'A' &&
                          static_cast<std::size_t>(record.answer[0] - 'A') < count;
      if (!letter) {
        line.refuse("answer is none of the choices",
                    fmt::format("the letter of one of {} choices, from A", count), record.answer);
      }
    }
    return collector.add(std::move(record), line.where());
  });
}

}  // namespace softcot
