#pragma once

#include <ATen/core/Tensor.h>

#include "model/linear.h"

namespace softcot {

/// One rank's weights of a decoder layer: Q query heads, K key-value heads of width D, F hidden
/// units of the feed-forward network.
struct DecoderLayer {
  at::Tensor attention_norm;     ///< [H]
  LinearWeights qkv;             ///< [(Q + 2K) · D, H]
  LinearWeights attention_out;   ///< [H, Q · D]
  at::Tensor feed_forward_norm;  ///< [H]
  LinearWeights gate_up;         ///< [2F, H]
  LinearWeights down;            ///< [H, F]
};

}  // namespace softcot
