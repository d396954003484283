#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention.h"
#include "model/decoder_layer.h"
#include "model/host_numbers.h"
#include "model/kv_cache.h"
#include "model/layer_trace.h"
#include "model/rope.h"
#include "runtime/communicator.h"

namespace softcot {

/// Queries, keys and values of a product [P, (Q + 2K) · D], with the bias of its weights, rotated
/// by `positions` [P]: float32, in `memory`, or where the product is float32 already and need not
/// be kept, in its place.
at::Tensor rotated_heads(const at::Tensor& product, bool keep, const LinearWeights& qkv,
                         const at::Tensor& positions, const AttentionShape& shape,
                         const RotaryEmbedding& rope, HostBuffer& memory);

/// Packed rows on their way through the layers of a decoder, on the host and without autograd:
/// float32 activations in buffers that all layers share, no operators of LibTorch but matrix
/// products and copies. The numbers are those of the operators that Transformer chains otherwise,
/// bit for bit. New keys and values go to the rows' own segments. Collective over tp.
class HostPass {
 public:
  /// Whether it can take these: everything in float32 on the host.
  static bool serves(const at::Tensor& inputs, const std::vector<PackedRow>& rows);

  /// `inputs` [P, H], left as they are; `positions` [P]. References must outlive it.
  HostPass(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
           const at::Tensor& positions, const AttentionShape& shape, const RotaryEmbedding& rope,
           double epsilon, Communicator& tp);

  /// Layer `index`: what comes out is what the next one takes. Fills the tensors of `trace` if
  /// there is one.
  void run(const DecoderLayer& layer, std::int64_t index, LayerTrace* trace = nullptr);
  /// [P, H] after the last layer that was run.
  const at::Tensor& hidden() const { return x_; }

 private:
  at::Tensor matrix(HostBuffer& buffer, std::int64_t width, at::ScalarType dtype) const;
  /// The norm's rows, in `input_`, and 1 / rms of each where that is wanted.
  void normalize(const at::Tensor& weight, const LinearWeights& next, at::Tensor* scale);
  /// `input_` times the weight: float32, or bfloat16 where the library multiplies in that. In
  /// `kept` if there is one.
  at::Tensor multiply(const LinearWeights& layer, const at::Tensor* kept = nullptr);
  void attend(const at::Tensor& product, const LinearWeights& qkv, const LinearWeights& next,
              std::int64_t index, LayerTrace* trace);
  void activate(const at::Tensor& product, const LinearWeights& next);
  /// Adds a product, summed over tp, to the residual stream.
  void add(const at::Tensor& product);
  at::ScalarType input_dtype(const LinearWeights& next) const;

  const std::vector<PackedRow>& rows_;
  const at::Tensor& positions_;
  const AttentionShape& shape_;
  const RotaryEmbedding& rope_;
  float epsilon_;
  Communicator& tp_;
  at::Tensor x_;      // [P, H]
  at::Tensor input_;  // [P, …]: of the next product
  // Memory of that, and of what comes out of products and of attention.
  HostBuffer inputs_, products_, heads_, wide_, attended_, mass_;
};

}  // namespace softcot
