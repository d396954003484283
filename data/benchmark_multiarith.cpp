#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"
#include "data/formula.h"

// MultiArith: a list of {"iIndex", "sQuestion", "lEquations": ["X=((32.0+42.0)-35.0)"],
// "lSolutions": [39.0]}.
namespace softcot {

void read_multiarith(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_item(file, nullptr, [&](const DatasetLine& item) {
    const auto equations = item.texts("lEquations");
    if (equations.size() != 1) {
      item.refuse("number of equations", "1", std::to_string(equations.size()));
    }
    const std::string& equation = equations.front();
    const std::size_t unknown = equation.starts_with("X=") ? 2 : 0;
    return collector.add({.id = item.number("iIndex"),
                          .question = trimmed(item.text("sQuestion")),
                          .rationale_steps = equation_steps(equation.substr(unknown)),
                          .answer = item.first_number("lSolutions"),
                          .type = AnswerType::kNumber,
                          .choices = {}},
                         item.where());
  });
}

}  // namespace softcot
