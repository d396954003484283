#pragma once

#include <ATen/core/Tensor.h>

namespace softcot {

/// Steps from logits [K, C], C columns of the vocabulary, to likelihoods and their gradient; what
/// the columns of other ranks add is summed between them. On the host in fused loops that read
/// float32 or bfloat16, elsewhere (and as the tests' reference) by LibTorch's operators. All local.

/// hidden [K, H] · head [C, H]^T in the dtype that the product comes out in.
at::Tensor make_logits(const at::Tensor& hidden, const at::Tensor& head);

struct LargestLogits {
  at::Tensor value;  ///< [K] float32
  at::Tensor index;  ///< [K] int64, the first of equals
};
LargestLogits largest_logits(const at::Tensor& logits);

/// [K] float32: Σ exp(logits - largest) over the columns.
at::Tensor exponential_sums(const at::Tensor& logits, const at::Tensor& largest);

/// exp(logits - largest) / mass, less 1 at column `target` [K] int64 where that is not negative:
/// the gradient of the negative log-likelihood, in the logits' memory.
at::Tensor likelihood_gradient(at::Tensor logits, const at::Tensor& largest, const at::Tensor& mass,
                               const at::Tensor& target);

}  // namespace softcot
