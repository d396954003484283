#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention.h"
#include "model/decoder_layer.h"
#include "model/host_numbers.h"
#include "model/host_pass.h"
#include "model/kv_cache.h"
#include "model/rope.h"
#include "runtime/communicator.h"

namespace softcot {

/// The way back of a HostPass through frozen layers, last layer first: the gradient of what went
/// into a layer from that of what came out. The numbers are those that autograd finds for the
/// operators that Transformer chains otherwise, bit for bit. Collective over tp.
class HostGradientPass {
 public:
  /// `gradient` [P, H] float32 of the last layer's output, left as it is; the others as HostPass
  /// had them. References must outlive it.
  HostGradientPass(const at::Tensor& gradient, const std::vector<PackedRow>& rows,
                   const at::Tensor& positions, const AttentionShape& shape,
                   const RotaryEmbedding& rope, Communicator& tp);

  /// Back through layer `index`, of which HostPass has left `trace`.
  void run(const DecoderLayer& layer, std::int64_t index, const LayerTrace& trace);
  /// [P, H]: of the input of the layer that was run last.
  const at::Tensor& gradient() const { return gradient_; }

 private:
  at::Tensor matrix(HostBuffer& buffer, std::int64_t width, at::ScalarType dtype) const;
  /// The gradient of a product's input, in product_dtype and in `products_`.
  at::Tensor multiply(const at::Tensor& gradient, const LinearWeights& layer);
  /// Of the attention's output to that of queries, keys and values before rotation.
  at::Tensor attend(const at::Tensor& gradient, const LinearWeights& qkv, std::int64_t index,
                    const LayerTrace& trace);
  /// Adds to the residual stream's gradient what comes through a norm from `gradient`, this rank's
  /// share.
  void add_normalized(const at::Tensor& gradient, const at::Tensor& weight, const at::Tensor& input,
                      const at::Tensor& scale);

  const std::vector<PackedRow>& rows_;
  const at::Tensor& positions_;
  const AttentionShape& shape_;
  const RotaryEmbedding& rope_;
  Communicator& tp_;
  at::Tensor gradient_;  // [P, H]
  HostBuffer inputs_, products_, activations_, heads_, d_heads_, wide_;
};

}  // namespace softcot
