#include "model/layer_trace.h"

#include <ATen/Functions.h>

#include <array>

#include "model/linear.h"

namespace softcot {
namespace {

/// Of where a tensor begins: a line of the processor's cache.
constexpr std::int64_t kAlignment = 64;

struct Part {
  at::Tensor LayerTrace::*tensor;
  std::int64_t width;
  at::ScalarType dtype;

  std::int64_t bytes(std::int64_t tokens) const {
    return tokens * width * static_cast<std::int64_t>(at::elementSize(dtype));
  }
  std::int64_t aligned_bytes(std::int64_t tokens) const {
    return (bytes(tokens) + kAlignment - 1) / kAlignment * kAlignment;
  }
};

std::array<Part, 8> parts_of(const DecoderLayer& layer, const AttentionShape& shape,
                             std::int64_t tokens) {
  const std::int64_t hidden = layer.attention_norm.size(0);
  const auto product = [&](at::Tensor LayerTrace::*tensor, const LinearWeights& matrix) {
    return Part{tensor, matrix.weight.size(0), product_output_dtype(tokens, matrix.weight)};
  };
  return {{{&LayerTrace::attention_in, hidden, at::kFloat},
           {&LayerTrace::attention_scale, 1, at::kFloat},
           product(&LayerTrace::qkv, layer.qkv),
           {&LayerTrace::attended, shape.query_heads * shape.head_width, at::kFloat},
           {&LayerTrace::mass, shape.query_heads, at::kFloat},
           {&LayerTrace::feed_forward_in, hidden, at::kFloat},
           {&LayerTrace::feed_forward_scale, 1, at::kFloat},
           product(&LayerTrace::gate_up, layer.gate_up)}};
}

}  // namespace

at::Tensor TraceMemory::room(std::int64_t bytes) {
  if (block_.defined() && block_.storage().use_count() > 1) return at::empty({bytes}, at::kByte);
  if (!block_.defined() || block_.numel() < bytes) {
    block_ = at::Tensor();  // Its memory goes before the larger one comes.
    block_ = at::empty({bytes}, at::kByte);
  }
  return block_;
}

std::vector<LayerTrace> TraceMemory::take(const std::vector<DecoderLayer>& layers,
                                          const AttentionShape& shape, std::int64_t tokens) {
  std::int64_t bytes = 0;
  for (const DecoderLayer& layer : layers) {
    for (const Part& part : parts_of(layer, shape, tokens)) bytes += part.aligned_bytes(tokens);
  }
  const at::Tensor block = room(bytes);

  std::vector<LayerTrace> traces;
  std::int64_t begin = 0;
  for (const DecoderLayer& layer : layers) {
    LayerTrace& trace = traces.emplace_back();
    for (const Part& part : parts_of(layer, shape, tokens)) {
      trace.*part.tensor =
          block.narrow(0, begin, part.bytes(tokens)).view(part.dtype).view({tokens, part.width});
      begin += part.aligned_bytes(tokens);
    }
  }
  return traces;
}

}  // namespace softcot
