// A dataset file for one of the readers: the first byte says for which.
#include "data/answer_extraction.h"
#include "data/benchmark.h"
#include "data/tokenizer_text.h"
#include "fuzz/fuzz.h"

namespace {

void require_text(const std::string& text) {
  softcot::fuzz::require(softcot::find_invalid_utf8(text) == std::string_view::npos,
                         "texts of records are valid UTF-8");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  if (size == 0) return 0;
  const Benchmark& benchmark = benchmarks()[data[0] % benchmarks().size()];
  const auto path = fuzz::write("dataset", fuzz::text(data, size).substr(1));
  fuzz::accepts([&] {
    for (const Record& record : read_benchmark(benchmark.name, path)) {
      fuzz::require(!record.question.empty() && !record.answer.empty(), "records are whole");
      fuzz::require(answers_equal(record.type, record.answer, record.answer),
                    "a reference answer equals itself");
      require_text(record.question);
      require_text(record.answer);
      for (const std::string& step : record.rationale_steps) {
        fuzz::require(!step.empty(), "no step is empty");
        require_text(step);
      }
      for (const std::string& choice : record.choices) require_text(choice);
    }
  });
  return 0;
}
