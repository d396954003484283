#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention.h"
#include "model/decoder_layer.h"
#include "model/kv_cache.h"
#include "model/layer_trace.h"
#include "model/rope.h"
#include "runtime/communicator.h"

namespace softcot {

/// The layers of a decoder whose weights are frozen, and what they share. References.
struct FrozenLayers {
  const std::vector<DecoderLayer>& layers;
  const AttentionShape& shape;
  const RotaryEmbedding& rope;
  double epsilon;
  Communicator& tp;
  TraceMemory& memory;

  /// inputs [P, H] through all layers: [P, H]. Differentiable in inputs, once: one operator for
  /// autograd, that keeps a LayerTrace a layer in `memory` until it has gone back. Only where
  /// HostPass::serves; what this refers to must outlive the backward pass. Collective over tp,
  /// backwards too.
  at::Tensor run(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
                 const at::Tensor& positions) const;
};

}  // namespace softcot
