#pragma once

#include <ATen/core/Tensor.h>

#include "model/shard_plan.h"
#include "runtime/communicator.h"

namespace softcot {

/// The conjugate pair of Megatron-LM (Shoeybi et al., 2019). A column-parallel product is
/// linear(copy_to_group(x)): Y_r = X W_r^T, dX = Σ_r dY_r W_r. A row-parallel product is
/// reduce_from_group(linear(x_r)): Y = Σ_r X_r W_r^T, dX_r = dY W_r. Both are collective over the
/// group in the pass that communicates, and free for a group of one.

/// Forward: x itself. Backward: the sum of the gradients over the group.
at::Tensor copy_to_group(const at::Tensor& x, Communicator& group);
/// Forward: the sum of x over the group, a new tensor. Backward: the gradient itself.
at::Tensor reduce_from_group(const at::Tensor& x, Communicator& group);

/// Rows of the embedding matrix for ids [P], of which this rank holds `table` [V_r, H], the rows
/// `owned` of the vocabulary: [P, H] in `dtype` on every rank. Differentiable in a table that is an
/// autograd leaf. Collective.
at::Tensor embedding_lookup(const at::Tensor& ids, const at::Tensor& table, Slice owned,
                            at::ScalarType dtype, Communicator& group);

}  // namespace softcot
