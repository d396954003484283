#pragma once

#include <cstdint>
#include <string>

namespace softcot {

/// Which tokens of a row the repetition penalty counts.
enum class RepetitionScope {
  kWritten,  ///< Those written so far, as Transformers does for a prompt given as inputs_embeds.
  kAll,      ///< The prompt's too, as Transformers does for a prompt given as ids. A soft thought
             ///< has no id: placeholders that one fills do not count.
};

/// How a token is chosen from logits. What is set is applied in the order of Transformers:
/// repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  double temperature = 0.0;  ///< 0 takes the most likely token (the lowest id of equals).
  std::int64_t top_k = 0;    ///< Draw from the k most likely and those equal to the k-th; 0 = all.
  double top_p = 1.0;        ///< In (0, 1]: draw from the smallest set of that probability mass.
  double min_p = 0.0;        ///< In [0, 1]: only tokens of at least min_p times the likeliest's.
  /// Above 0. Divides the positive and multiplies the negative logits of tokens in scope, once
  /// each; acts at temperature 0 too. 1 = none.
  double repetition_penalty = 1.0;
  RepetitionScope repetition_scope = RepetitionScope::kWritten;

  bool penalizes() const { return repetition_penalty != 1.0; }
};

/// The same at temperature 0, where only the repetition penalty still acts.
SamplingOptions greedy(const SamplingOptions& options);

/// What decides the tokens besides temperature and top-p, each after a space; empty for none.
std::string sampling_key(const SamplingOptions& options);

}  // namespace softcot
