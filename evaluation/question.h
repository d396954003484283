#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/record.h"
#include "data/tokenizer.h"
#include "evaluation/generation.h"
#include "evaluation/sample_log.h"
#include "model/soft_prompt.h"

namespace softcot {

/// One question as a method puts it to the backbone.
struct Question {
  Record record;
  SoftRow row;                ///< Prompt and reference targets; without targets nothing is scored.
  at::Tensor soft;            ///< [N, H], the projected thoughts; undefined without any.
  std::int64_t unopened = 0;  ///< Last tokens of the prompt that the model has to write itself.

  /// Of the prompt that is continued.
  std::int64_t prompt_tokens() const { return row.target_begin - unopened; }
};

/// Of the ids of the prompt that is continued.
std::string prompt_hash(const Question& question);

struct QuestionOptions {
  GenerationOptions generation;
  std::uint64_t seed = 0;
  std::int64_t seeds = 1;            ///< From `seed` on.
  std::int64_t samples = 1;          ///< Continuations of each question under each seed.
  bool one_noise_stream = false;     ///< All questions draw the same random numbers.
  std::int64_t batch_tokens = 4096;  ///< Tokens scored at once.
};

/// Scores the reference rationale and answer and writes the continuations (sample k under seed
/// number s has the index s · samples + k) of each question that `completed` lacks, and hands over
/// each sample as it is ready. Collective over tp: all ranks of a replica pass the same questions
/// and get the same samples. Returns what that took; a question's prompt is read once.
GenerationWork answer_questions(const SoftPromptModel& model, const Tokenizer& tokenizer,
                                const std::vector<Question>& questions,
                                const QuestionOptions& options,
                                const std::set<SampleKey>& completed,
                                const std::function<void(const Sample&)>& done);

}  // namespace softcot
