#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "runtime/random.h"

namespace softcot {

struct SamplingOptions {
  double temperature = 0.0;  ///< 0 takes the most likely token (the lowest id of equals).
  double top_p = 1.0;        ///< In (0, 1]: draw from the smallest set of that probability mass.
};

/// The next token after `logits` [V] float32 on the host. Draws one number from `stream` unless
/// greedy. The same on every rank that passes equal arguments.
std::int64_t sample_token(const at::Tensor& logits, const SamplingOptions& options,
                          RandomStream& stream);

/// The same for many rows where their logits [B, V] are, without a way to the host: [B] int64.
/// `draws` [B] float64, in [0, 1), are the numbers that sample_token takes from the streams; the
/// temperature is above 0. A device adds up in an order of its own, so that a draw which falls on
/// the border between two tokens, up to rounding, may choose the other.
at::Tensor sample_tokens(const at::Tensor& logits, const SamplingOptions& options,
                         const at::Tensor& draws);

}  // namespace softcot
