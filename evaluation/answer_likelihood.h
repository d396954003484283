#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "model/soft_prompt.h"

namespace softcot {

/// How likely a model finds the reference rationale and answer of one question.
struct AnswerLikelihood {
  double nll = 0;            ///< -Σ log p over the target tokens, in nats.
  std::int64_t targets = 0;  ///< Number of target tokens.
};

/// A row with targets and its projected thoughts [N, H]; undefined for a row without thoughts.
struct LikelihoodRequest {
  SoftRow row;
  at::Tensor soft;
  bool wanted = true;  ///< Nobody asks for it, but it may share a batch with others.
};

/// Hands the likelihood of each request that is wanted over in order: `done(index, likelihood)`.
/// Rows are packed `batch_tokens` at a time, and batches without a wanted row are left out: the
/// numbers are those of the requests as a whole, bit for bit, whichever are wanted. Collective over
/// tp.
void answer_likelihoods(const SoftPromptModel& model,
                        const std::vector<LikelihoodRequest>& requests, std::int64_t batch_tokens,
                        const std::function<void(std::size_t, const AnswerLikelihood&)>& done);

}  // namespace softcot
