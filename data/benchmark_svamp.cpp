#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"
#include "data/formula.h"

// SVAMP: a list of {"ID", "Body", "Question", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0}.
namespace softcot {

void read_svamp(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_item(file, nullptr, [&](const DatasetLine& item) {
    return collector.add(
        {.id = trimmed(item.text("ID")),
         .question = trimmed(trimmed(item.text("Body")) + " " + trimmed(item.text("Question"))),
         .rationale_steps = equation_steps(item.text("Equation")),
         .answer = item.number("Answer"),
         .type = AnswerType::kNumber,
         .choices = {}},
        item.where());
  });
}

}  // namespace softcot
