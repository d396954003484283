#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "evaluation/sampling_options.h"
#include "model/soft_prompt.h"

namespace softcot {

/// The distinct tokens of one row that the repetition penalty counts.
class CountedTokens {
 public:
  void add(std::int64_t id);
  const std::vector<std::int64_t>& ids() const { return ids_; }

 private:
  std::vector<std::int64_t> ids_;  // Ascending.
};

/// What counts before the first token is written: in scope `all` the prompt's ids but those of
/// placeholders, else nothing.
CountedTokens counted_prompt(const SoftRow& prompt, const SamplingOptions& options);

/// Applies the penalty in place to logits [B, V] float32, on the host or a device: those of the ids
/// that row b counts are divided by it if positive, else multiplied. counted[b] may not be null.
void penalize_repetitions(const at::Tensor& logits,
                          const std::vector<const CountedTokens*>& counted, double penalty);

}  // namespace softcot
