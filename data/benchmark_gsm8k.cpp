#include <fmt/format.h>

#include <algorithm>

#include "data/answer_extraction.h"
#include "data/benchmark_lines.h"
#include "data/benchmark_readers.h"

// GSM8K: {"question": …, "answer": "step\nstep\n#### number"}, where steps carry what a calculator
// said between << and >>.
namespace softcot {
namespace {

std::string without_calculator(const std::string& text, const DatasetLine& line) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("<<", at);
    out += text.substr(at, open - at);
    if (open == std::string::npos) break;
    const std::size_t close = text.find(">>", open);
    if (close == std::string::npos) {
      line.refuse("calculator annotation without its end", "<<…>>", text.substr(open, 40));
    }
    at = close + 2;
  }
  return out;
}

}  // namespace

void read_gsm8k(const std::filesystem::path& file, RecordCollector& collector) {
  for_each_json_line(file, [&](const DatasetLine& line) {
    const std::string answer = line.text("answer");
    constexpr std::string_view kMark = "####";
    const std::size_t mark = answer.rfind(kMark);
    if (mark == std::string::npos) {
      line.refuse("answer without its final line", "\"#### number\" at the end",
                  answer.substr(answer.size() - std::min<std::size_t>(answer.size(), 40)));
    }
    const std::string stated = trimmed(std::string_view(answer).substr(mark + kMark.size()));
    std::string number = stated;
    std::erase(number, ',');
    // Commas that are none of thousands ("1,00") stay, and the answer is refused with them.
    if (!answers_equal(AnswerType::kNumber, stated, number)) number = stated;
    const TrainingQuirks& quirks = collector.quirks();
    const std::string rationale = quirks.answer_line_is_step ? answer : answer.substr(0, mark);
    const std::string steps =
        quirks.calculator_kept ? rationale : without_calculator(rationale, line);
    return collector.add({.id = line.default_id(),
                          .question = trimmed(line.text("question")),
                          .rationale_steps = trimmed_lines(steps),
                          .answer = std::move(number),
                          .type = AnswerType::kNumber,
                          .choices = {}},
                         line.where());
  });
}

}  // namespace softcot
