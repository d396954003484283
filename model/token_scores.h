#pragma once

#include <ATen/core/Tensor.h>

#include "model/shard_plan.h"
#include "runtime/communicator.h"

namespace softcot {

/// What the model says of given next tokens.
struct TokenScores {
  at::Tensor nll;   ///< [K] float32, -log p(target); differentiable in the hidden states.
  at::Tensor best;  ///< [K] int64, the most likely token (the lowest id of equals).
};

/// One rank's rows of the output matrix.
struct VocabularyShard {
  at::Tensor head;  ///< [V_r, H]; nll is differentiable in it if it is an autograd leaf.
  Slice owned;      ///< The vocabulary rows it holds.
};

/// Vocabulary-parallel cross entropy fused with the output matrix: hidden [K, H], targets [K].
///
/// The logits exist only for as many positions at a time as `chunk_bytes` of float32 hold, and are
/// never gathered: the group exchanges, for each chunk, the largest logit, the sum of exponentials
/// and the target's logit. When the gradient is wanted, d nll / d hidden [K, H] is formed in the
/// same pass from the same logits and scaled in the backward pass; it is summed over the group
/// there. Collective over the group.
TokenScores score_targets(const at::Tensor& hidden, const at::Tensor& targets,
                          const VocabularyShard& shard, Communicator& group,
                          std::int64_t chunk_bytes = std::int64_t{48} << 20);

}  // namespace softcot
