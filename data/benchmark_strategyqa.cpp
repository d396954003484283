#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// StrategyQA: a list of {"qid", "question", "answer": true, "facts": […]} with more that is not
// used. The facts are the rationale.
namespace softcot {

void read_strategyqa(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_item(file, nullptr, [&](const DatasetLine& item) {
    return collector.add({.id = item.text("qid"),
                          .question = trimmed(item.text("question")),
                          .rationale_steps = item.lines("facts"),
                          .answer = item.flag("answer") ? "Yes" : "No",
                          .type = AnswerType::kYesNo,
                          .choices = {}},
                         item.where());
  });
}

}  // namespace softcot
