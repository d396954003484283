// A generated text and, after a NUL byte, a reference: all extractors on all types of answers.
#include "data/answer_extraction.h"

#include "fuzz/fuzz.h"

namespace {

using namespace softcot;

void check(AnswerType type, std::string_view text, std::string_view reference) {
  for (const Extractor extractor :
       {Extractor::kStrict, Extractor::kFlexible, Extractor::kReference}) {
    const auto answer = extract_answer(extractor, type, text);
    if (!answer) continue;
    fuzz::require(extract_answer(extractor, type, text) == answer, "extraction is a function");
    fuzz::require(answers_equal(type, *answer, *answer), "an answer equals itself");
    fuzz::require(
        answers_equal(type, *answer, reference) == answers_equal(type, reference, *answer),
        "equality is symmetric");
  }
  const auto strict = extract_answer(Extractor::kStrict, type, text);
  fuzz::require(!strict || extract_answer(Extractor::kFlexible, type, text) == strict,
                "flexible gives the strict answer where there is one");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::halves(fuzz::text(data, size));
  for (const AnswerType type :
       {AnswerType::kNumber, AnswerType::kChoice, AnswerType::kYesNo, AnswerType::kText}) {
    fuzz::require(fuzz::accepts([&] { check(type, input.first, input.second); }),
                  "extraction throws nothing");
  }
  return 0;
}
