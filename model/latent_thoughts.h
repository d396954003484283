#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/soft_prompt.h"

namespace softcot {

/// Coconut's continuous thoughts (Hao et al., 2024): the embedding of a row's placeholder at
/// position p is the model's own last hidden state, after the final norm, at p - 1. They are filled
/// from left to right, so a row with N of them is read N times. Returns [Σ N, H], row after row;
/// undefined when no row has a placeholder. Collective over tp.
///
/// Under autograd each reading begins anew and the result is differentiable in what the model
/// trains, through all readings. Without, keys and values are kept and each reading is one token.
at::Tensor latent_thoughts(const SoftPromptModel& model, const std::vector<SoftRow>& rows);

}  // namespace softcot
