#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention_shape.h"
#include "model/decoder_layer.h"

namespace softcot {

/// What the backward pass of a layer needs of its forward pass: P tokens, Q query and K key-value
/// heads of width D, F hidden units of the feed-forward network. Float32, but for what products
/// leave.
struct LayerTrace {
  at::Tensor attention_in;        ///< [P, H], before the norm
  at::Tensor attention_scale;     ///< [P, 1], 1 / rms of its rows
  at::Tensor qkv;                 ///< [P, (Q + 2K) · D], without bias, not rotated; as multiplied
  at::Tensor attended;            ///< [P, Q · D]
  at::Tensor mass;                ///< [P · Q], log Σ exp of each query's scores (attend_on_host)
  at::Tensor feed_forward_in;     ///< [P, H], before the norm
  at::Tensor feed_forward_scale;  ///< [P, 1]
  at::Tensor gate_up;             ///< [P, 2F], as multiplied
};

/// Where traces lie: one block, kept from step to step. The lengths of rows change all the time,
/// and the system would map and zero other pages for each (docs/performance.md).
class TraceMemory {
 public:
  /// Room for the traces of `tokens` tokens through all layers: in the kept block, which grows if
  /// it must, or while traces lie there, in one of its own. Local.
  std::vector<LayerTrace> take(const std::vector<DecoderLayer>& layers, const AttentionShape& shape,
                               std::int64_t tokens);

 private:
  at::Tensor room(std::int64_t bytes);

  at::Tensor block_;  // [bytes]
};

}  // namespace softcot
