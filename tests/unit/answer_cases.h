#pragma once

#include <span>

#include "data/record.h"

namespace softcot::test {

/// One hard string and what each extractor must read in it; nullptr for "no answer".
struct AnswerCase {
  AnswerType type;
  const char* text;
  const char* strict;
  const char* flexible;
  const char* reference;
};

std::span<const AnswerCase> answer_cases();

}  // namespace softcot::test
