#pragma once

#include <ATen/core/Tensor.h>

#include "model/token_scores.h"

namespace softcot {

/// Which tokens' embeddings point in nearly the direction of given vectors.
struct NearestTokens {
  at::Tensor ids;         ///< [K, k] int64, the nearest first.
  at::Tensor similarity;  ///< [K, k] float32, cosines in [-1, 1]; 0 for an embedding of zeros.
  double mean_norm = 0;   ///< Mean Euclidean norm of all embeddings.
};

/// The `count` nearest tokens of each of `vectors` [K, H] by cosine similarity, where `shard` is
/// this rank's part of the embedding matrix; fewer where the vocabulary is smaller. Without
/// autograd. Collective over the group; the same on every rank that passes the same vectors.
NearestTokens nearest_tokens(const at::Tensor& vectors, std::int64_t count,
                             const VocabularyShard& shard, Communicator& group);

}  // namespace softcot
