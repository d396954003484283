#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evaluation/result_table.h"

namespace softcot::test {

/// A sample with the sum of its answer's negative log-likelihood over so many tokens, in nats.
inline Sample sample(const std::string& id, std::int64_t index, bool correct, double nll,
                     std::int64_t tokens) {
  Sample made;
  made.question_id = id;
  made.sample_index = index;
  made.strict = made.flexible = {correct ? "1" : "0", correct};
  made.new_tokens = 10 * tokens;
  made.finish = correct ? "stop" : "length";
  made.answer_nll = nll;
  made.target_tokens = tokens;
  return made;
}

/// Zero-shot CoT loses 1.5 nats a token and SoftCoT 1.2 on each of 20 questions; the one solves
/// four, the other three of these and the last eight.
inline std::vector<MethodSamples> two_methods() {
  MethodSamples zero{"zero_shot_cot", "Zero-shot CoT", {}};
  MethodSamples soft{"softcot", "SoftCoT", {}};
  for (int i = 0; i < 20; ++i) {
    const std::string id = "q" + std::to_string(i);
    const std::int64_t tokens = 10 + i;
    zero.samples.push_back(sample(id, 0, i < 4, 1.5 * static_cast<double>(tokens), tokens));
    soft.samples.push_back(
        sample(id, 0, i < 3 || i >= 12, 1.2 * static_cast<double>(tokens), tokens));
  }
  return {zero, soft};
}

/// One method under the quirks that are named, with K samples a question of these texts.
inline MethodSamples answering(const std::vector<std::vector<std::string>>& texts,
                               const std::vector<std::string>& references,
                               const std::vector<std::string>& quirks) {
  MethodSamples method{"softcot", "SoftCoT", {}};
  method.quirks = quirks_of<ScoringQuirks>(quirks, "gsm8k");
  for (std::size_t q = 0; q < texts.size(); ++q) {
    for (std::size_t k = 0; k < texts[q].size(); ++k) {
      Sample made;
      made.question_id = "q" + std::to_string(q);
      made.sample_index = static_cast<std::int64_t>(k);
      made.reference = references[q];
      made.text = texts[q][k];
      extract_answers(made, AnswerType::kNumber);
      method.samples.push_back(made);
    }
  }
  return method;
}

}  // namespace softcot::test
