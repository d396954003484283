#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "evaluation/sampling_options.h"
#include "runtime/random.h"

namespace softcot {

// Logits come with the repetition penalty already in them (evaluation/repetition_penalty.h).

/// The next token after `logits` [V] float32 on the host. Draws one number from `stream` unless
/// greedy. The same on every rank that passes equal arguments.
std::int64_t sample_token(const at::Tensor& logits, const SamplingOptions& options,
                          RandomStream& stream);

/// What temperature, top-k, top-p and min-p leave of the tokens' probabilities: [B, V] float64 for
/// logits [B, V], each row with the sum 1. The temperature is above 0.
at::Tensor token_probabilities(const at::Tensor& logits, const SamplingOptions& options);

/// sample_token for many rows where their logits [B, V] are, without a way to the host: [B] int64.
/// `draws` [B] float64, in [0, 1), are the numbers that sample_token takes from the streams; the
/// temperature is above 0. A device adds up in an order of its own, so that a draw which falls on
/// the border between two tokens, up to rounding, may choose the other.
at::Tensor sample_tokens(const at::Tensor& logits, const SamplingOptions& options,
                         const at::Tensor& draws);

}  // namespace softcot
