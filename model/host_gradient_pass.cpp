#include "model/host_gradient_pass.h"

#include "model/cpu_kernels.h"

namespace softcot {

HostGradientPass::HostGradientPass(const at::Tensor& gradient, const std::vector<PackedRow>& rows,
                                   const at::Tensor& positions, const AttentionShape& shape,
                                   const RotaryEmbedding& rope, Communicator& tp)
    : rows_(rows),
      positions_(positions),
      shape_(shape),
      rope_(rope),
      tp_(tp),
      gradient_(gradient.clone(at::MemoryFormat::Contiguous)) {}

void HostGradientPass::run(const DecoderLayer& layer, std::int64_t index, const LayerTrace& trace) {
  const auto active = multiply(gradient_, layer.down);
  auto gate_up = matrix(activations_, trace.gate_up.size(1), active.scalar_type());
  write_numbers(gate_up, [&](auto* d_gate_up) {
    using Number = std::remove_pointer_t<decltype(d_gate_up)>;
    const auto* d_active = static_cast<const Number*>(active.const_data_ptr());
    read_numbers(trace.gate_up, [&](const auto* before) {
      cpu::swiglu_backward(d_active, before, active.size(0), active.size(1), d_gate_up);
    });
  });
  add_normalized(multiply(gate_up, layer.gate_up), layer.feed_forward_norm, trace.feed_forward_in,
                 trace.feed_forward_scale);

  const auto heads = attend(multiply(gradient_, layer.attention_out), layer.qkv, index, trace);
  add_normalized(multiply(heads, layer.qkv), layer.attention_norm, trace.attention_in,
                 trace.attention_scale);
}

at::Tensor HostGradientPass::matrix(HostBuffer& buffer, std::int64_t width,
                                    at::ScalarType dtype) const {
  return buffer.matrix(gradient_.size(0), width, dtype);
}

at::Tensor HostGradientPass::multiply(const at::Tensor& gradient, const LinearWeights& layer) {
  const auto dtype = product_dtype(layer.weight.scalar_type());
  auto input = gradient;
  if (dtype == at::kBFloat16 && !is_narrow(gradient)) {
    input = matrix(inputs_, gradient.size(1), dtype);
    cpu::narrow(gradient.const_data_ptr<float>(), gradient.numel(),
                static_cast<std::uint16_t*>(input.mutable_data_ptr()));
  }
  auto product = matrix(products_, layer.weight.size(1), dtype);
  multiply_plain(input, layer.weight, product);
  return product;
}

at::Tensor HostGradientPass::attend(const at::Tensor& gradient, const LinearWeights& qkv,
                                    std::int64_t index, const LayerTrace& trace) {
  const auto d_output = widened(gradient, wide_);
  const auto heads =
      rotated_heads(trace.qkv, /*keep=*/true, qkv, positions_, shape_, rope_, heads_);
  auto d_heads = matrix(d_heads_, heads.size(1), at::kFloat);
  attend_backward_on_host(d_output, heads, rows_, index, shape_, trace.attended, trace.mass,
                          d_heads);
  rope_.rotate_on_host(d_heads, positions_, shape_.heads(), shape_.query_heads + shape_.kv_heads,
                       /*backwards=*/true);
  return d_heads;
}

void HostGradientPass::add_normalized(const at::Tensor& gradient, const at::Tensor& weight,
                                      const at::Tensor& input, const at::Tensor& scale) {
  auto sum = gradient;
  if (tp_.size() > 1) {
    sum = widened(gradient, wide_);
    tp_.all_reduce(sum, ReduceOp::kSum);
  }
  read_numbers(sum, [&](const auto* dy) {
    cpu::add_rms_norm_backward(dy, input.const_data_ptr<float>(), weight.const_data_ptr<float>(),
                               scale.const_data_ptr<float>(), input.size(0), input.size(1),
                               gradient_.mutable_data_ptr<float>());
  });
}

}  // namespace softcot
