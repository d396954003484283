#include "model/host_pass.h"

#include "model/cpu_kernels.h"
#include "model/elementwise.h"

namespace softcot {

at::Tensor rotated_heads(const at::Tensor& product, bool keep, const LinearWeights& qkv,
                         const at::Tensor& positions, const AttentionShape& shape,
                         const RotaryEmbedding& rope, HostBuffer& memory) {
  auto heads = keep || is_narrow(product)
                   ? memory.matrix(product.size(0), product.size(1), at::kFloat)
                   : product;
  if (is_narrow(product)) {
    const float* bias = qkv.bias.defined() ? qkv.bias.const_data_ptr<float>() : nullptr;
    cpu::widen(static_cast<const std::uint16_t*>(product.const_data_ptr()), bias, product.size(0),
               product.size(1), heads.mutable_data_ptr<float>());
  } else {
    if (keep) heads.copy_(product);
    if (qkv.bias.defined()) heads.add_(qkv.bias);
  }
  rope.rotate_on_host(heads, positions, shape.heads(), shape.query_heads + shape.kv_heads,
                      /*backwards=*/false);
  return heads;
}

bool HostPass::serves(const at::Tensor& inputs, const std::vector<PackedRow>& rows) {
  return fuses_on_host(inputs) && on_host_in_float(inputs, rows);
}

HostPass::HostPass(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
                   const at::Tensor& positions, const AttentionShape& shape,
                   const RotaryEmbedding& rope, double epsilon, Communicator& tp)
    : rows_(rows),
      positions_(positions),
      shape_(shape),
      rope_(rope),
      epsilon_(static_cast<float>(epsilon)),
      tp_(tp),
      x_(inputs.clone(at::MemoryFormat::Contiguous)) {}

void HostPass::run(const DecoderLayer& layer, std::int64_t index, LayerTrace* trace) {
  const auto kept = [&](at::Tensor LayerTrace::*tensor) {
    return trace == nullptr ? nullptr : &(trace->*tensor);
  };
  if (trace != nullptr) trace->attention_in.copy_(x_);
  normalize(layer.attention_norm, layer.qkv, kept(&LayerTrace::attention_scale));
  attend(multiply(layer.qkv, kept(&LayerTrace::qkv)), layer.qkv, layer.attention_out, index, trace);
  add(multiply(layer.attention_out));

  if (trace != nullptr) trace->feed_forward_in.copy_(x_);
  normalize(layer.feed_forward_norm, layer.gate_up, kept(&LayerTrace::feed_forward_scale));
  activate(multiply(layer.gate_up, kept(&LayerTrace::gate_up)), layer.down);
  add(multiply(layer.down));
}

at::Tensor HostPass::matrix(HostBuffer& buffer, std::int64_t width, at::ScalarType dtype) const {
  return buffer.matrix(x_.size(0), width, dtype);
}

at::ScalarType HostPass::input_dtype(const LinearWeights& next) const {
  return product_input_dtype(x_.size(0), next.weight);
}

void HostPass::normalize(const at::Tensor& weight, const LinearWeights& next, at::Tensor* scale) {
  const std::int64_t rows = x_.size(0), width = x_.size(1);
  input_ = matrix(inputs_, width, input_dtype(next));
  write_numbers(input_, [&](auto* y) {
    cpu::rms_norm(x_.const_data_ptr<float>(), weight.const_data_ptr<float>(), epsilon_, rows, width,
                  y, scale == nullptr ? nullptr : scale->mutable_data_ptr<float>());
  });
}

at::Tensor HostPass::multiply(const LinearWeights& layer, const at::Tensor* kept) {
  const std::int64_t width = layer.weight.size(0);
  auto product = kept != nullptr
                     ? *kept
                     : matrix(products_, width, product_output_dtype(x_.size(0), layer.weight));
  multiply_transposed(input_, layer.weight, product);
  return product;
}

void HostPass::attend(const at::Tensor& product, const LinearWeights& qkv,
                      const LinearWeights& next, std::int64_t index, LayerTrace* trace) {
  const auto heads =
      rotated_heads(product, trace != nullptr, qkv, positions_, shape_, rope_, heads_);
  auto attended = trace != nullptr
                      ? trace->attended
                      : matrix(attended_, shape_.query_heads * shape_.head_width, at::kFloat);
  auto mass = trace != nullptr ? trace->mass : matrix(mass_, shape_.query_heads, at::kFloat);
  attend_on_host(heads, rows_, index, shape_, attended, mass);
  input_ = attended;
  if (input_dtype(next) == at::kBFloat16) {
    input_ = matrix(inputs_, attended.size(1), at::kBFloat16);
    cpu::narrow(attended.const_data_ptr<float>(), attended.numel(),
                static_cast<std::uint16_t*>(input_.mutable_data_ptr()));
  }
}

void HostPass::activate(const at::Tensor& product, const LinearWeights& next) {
  const std::int64_t rows = x_.size(0), width = product.size(1) / 2;
  input_ = matrix(inputs_, width, input_dtype(next));
  read_numbers(product, [&](const auto* gate_up) {
    write_numbers(input_, [&](auto* y) { cpu::swiglu(gate_up, rows, width, y); });
  });
}

void HostPass::add(const at::Tensor& product) {
  auto sum = product;
  if (tp_.size() > 1) {
    sum = widened(product, wide_);
    tp_.all_reduce(sum, ReduceOp::kSum);
  }
  read_numbers(
      sum, [&](const auto* change) { cpu::add(change, x_.numel(), x_.mutable_data_ptr<float>()); });
}

}  // namespace softcot
