#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// AQuA: {"question", "options": ["A)…", "B)…", …], "rationale", "correct": "A"}.
namespace softcot {
namespace {

// "C)12 m" is "12 m"; a text without its letter stays as it is.
std::string without_letter(const std::string& option, std::size_t index) {
  const char letter = static_cast<char>('A' + index);
  const bool lettered = option.size() >= 2 && option[0] == letter && option[1] == ')';
  return trimmed(lettered ? std::string_view(option).substr(2) : std::string_view(option));
}

}  // namespace

void read_aqua(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_line(file, [&](const DatasetLine& line) {
    Record record{.id = line.default_id(),
                  .question = trimmed(line.text("question")),
                  .rationale_steps = line.lines("rationale"),
                  .answer = trimmed(line.text("correct")),
                  .type = AnswerType::kChoice,
                  .choices = line.texts("options")};
    for (std::size_t i = 0; i < record.choices.size(); ++i) {
      record.choices[i] = without_letter(record.choices[i], i);
    }
    require_choice(record, line);
    return collector.add(std::move(record), line.where());
  });
}

}  // namespace softcot
