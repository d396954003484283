#include "data/asdiv.h"
#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// ASDiv 1.0. Answers that are one number are of type number, without their unit; the others (a
// name, a ratio, a time of day, two numbers) are texts. The formula is the rationale.
namespace softcot {
namespace {

/// "45 (cm); 30 (cm)" is "45; 30".
std::string without_units(const std::string& answer) {
  std::string out;
  int depth = 0;
  for (const char c : answer) {
    if (c == '(') ++depth;
    if (c == ')') {
      --depth;
      continue;
    }
    if (depth > 0) continue;
    if (c == ';') out.erase(out.find_last_not_of(' ') + 1);
    out += c;
  }
  return trimmed(out);
}

}  // namespace

void read_asdiv(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_asdiv_problem(file, [&](const AsdivProblem& problem) {
    const auto number = asdiv_number(problem.answer);
    const auto formula = asdiv_formula(problem);
    const auto steps = formula ? formula->steps(formula->numbers()) : std::nullopt;
    return collector.add(
        {.id = problem.id,
         .question = problem.text,
         .rationale_steps = steps ? *steps : std::vector<std::string>{problem.formula},
         .answer = number ? number->text() : without_units(problem.answer),
         .type = number ? AnswerType::kNumber : AnswerType::kText,
         .choices = {}},
        problem.where);
  });
}

}  // namespace softcot
