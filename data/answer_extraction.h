#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "data/record.h"

namespace softcot {

/// How an answer is found in generated text; docs/answer-extraction.md has the rules.
enum class Extractor {
  kStrict,  ///< Only an announced answer: \boxed{…}, "#### …", "the answer is …", or nothing but
            ///< it.
  kFlexible,   ///< The strict answer where there is one, else the last thing of the right type.
  kReference,  ///< What the paper's own scoring would read, its lost minus signs included.
};

/// Changes whenever any text could give another answer than before; stored beside every result.
inline constexpr std::string_view kExtractorVersion = "softcot-answers/2";

std::string_view extractor_name(Extractor extractor);

/// The answer in normal form, or nothing: a number as "-12.5" or, where no finite decimal exists,
/// "1/3"; a choice as one capital letter A–Z; "yes" or "no"; text with its white space collapsed.
/// A percent or currency sign is dropped, never applied: "50%" is 50.
/// Time and memory are linear in the text, whatever it holds. Any bytes are legal. Throws nothing.
std::optional<std::string> extract_answer(Extractor extractor, AnswerType type,
                                          std::string_view text);

/// Whether two answers, each as written by a data set or given by extract_answer, are the same.
/// Numbers are compared exactly (5 = 5.0, 1/2 = 0.5, 1,000 = 1000) as decimals of any length;
/// fractions with parts above 1000 digits, like anything that is not one number, equal nothing.
/// Texts are compared without markup, case, surplus white space and a final point. An equivalence
/// relation over the answers that extract_answer gives.
bool answers_equal(AnswerType type, std::string_view left, std::string_view right);

/// Whether a text that states the reference answer in \boxed{…}, as the prompts ask for, is read as
/// that answer by the strict extractor. Where it is not, no text can be counted as right.
bool can_be_matched(AnswerType type, std::string_view reference);

}  // namespace softcot
