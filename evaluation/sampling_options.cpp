#include "evaluation/sampling_options.h"

#include <fmt/format.h>

namespace softcot {

SamplingOptions greedy(const SamplingOptions& options) {
  return {.repetition_penalty = options.repetition_penalty,
          .repetition_scope = options.repetition_scope};
}

std::string sampling_key(const SamplingOptions& options) {
  std::string key;
  if (options.temperature > 0 && options.top_k > 0) key += fmt::format(" top-k {}", options.top_k);
  if (options.temperature > 0 && options.min_p > 0) key += fmt::format(" min-p {}", options.min_p);
  if (options.penalizes()) {
    key += fmt::format(" repetition {} {}", options.repetition_penalty,
                       options.repetition_scope == RepetitionScope::kAll ? "all" : "written");
  }
  return key;
}

}  // namespace softcot
