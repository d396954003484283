#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// The user's own questions: {"question", "rationale", "answer", "type"} and, if wanted, "id" and
// "choices".
namespace softcot {

namespace {

bool is_one_of(std::string text, std::initializer_list<const char*> words) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

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
      require_choice(record, line);
    } else if (record.type == AnswerType::kYesNo && !is_one_of(record.answer, {"yes", "no"})) {
      line.refuse("answer does not fit its type", "yes or no", record.answer);
    }
    return collector.add(std::move(record), line.where());
  });
}

}  // namespace softcot
