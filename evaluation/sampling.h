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

}  // namespace softcot
