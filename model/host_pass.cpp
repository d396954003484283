#include "model/host_pass.h"

#include <ATen/core/grad_mode.h>

#include "model/cpu_kernels.h"
#include "model/elementwise.h"

namespace softcot {
namespace {

using Bf16 = std::uint16_t;

bool is_narrow(const at::Tensor& x) { return x.scalar_type() == at::kBFloat16; }
const Bf16* bf16(const at::Tensor& x) { return static_cast<const Bf16*>(x.const_data_ptr()); }
Bf16* mutable_bf16(at::Tensor& x) { return static_cast<Bf16*>(x.mutable_data_ptr()); }

}  // namespace

bool HostPass::serves(const at::Tensor& inputs, const std::vector<PackedRow>& rows) {
  return !at::GradMode::is_enabled() && fuses_on_host(inputs) && on_host_in_float(inputs, rows);
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
      x_(inputs.clone(at::MemoryFormat::Contiguous)),
      attended_(at::empty({x_.size(0), shape.query_heads * shape.head_width}, x_.options())),
      mass_(at::empty({x_.size(0) * shape.query_heads}, x_.options())) {}

void HostPass::run(const DecoderLayer& layer, std::int64_t index) {
  normalize(layer.attention_norm, layer.qkv);
  attend(multiply(layer.qkv), layer.qkv, layer.attention_out, index);
  add(multiply(layer.attention_out));
  normalize(layer.feed_forward_norm, layer.gate_up);
  activate(multiply(layer.gate_up), layer.down);
  add(multiply(layer.down));
}

at::Tensor HostPass::matrix(at::Tensor& buffer, std::int64_t width, at::ScalarType dtype) const {
  const std::int64_t rows = x_.size(0);
  if (!buffer.defined() || buffer.scalar_type() != dtype || buffer.numel() < rows * width) {
    buffer = at::empty({rows * width}, x_.options().dtype(dtype));
  }
  return buffer.narrow(0, 0, rows * width).view({rows, width});
}

at::ScalarType HostPass::input_dtype(const LinearWeights& next) const {
  return product_input_dtype(x_.size(0), next.weight);
}

void HostPass::normalize(const at::Tensor& weight, const LinearWeights& next) {
  const std::int64_t rows = x_.size(0), width = x_.size(1);
  input_ = matrix(inputs_, width, input_dtype(next));
  const auto* x = x_.const_data_ptr<float>();
  const auto* scale = weight.const_data_ptr<float>();
  if (is_narrow(input_)) {
    cpu::rms_norm(x, scale, epsilon_, rows, width, mutable_bf16(input_));
  } else {
    cpu::rms_norm(x, scale, epsilon_, rows, width, input_.mutable_data_ptr<float>());
  }
}

at::Tensor HostPass::multiply(const LinearWeights& layer) {
  const std::int64_t outputs = layer.weight.size(0);
  auto product = matrix(products_, outputs, product_output_dtype(x_.size(0), layer.weight));
  multiply_transposed(input_, layer.weight, product);
  return product;
}

void HostPass::attend(const at::Tensor& product, const LinearWeights& qkv,
                      const LinearWeights& next, std::int64_t index) {
  const std::int64_t rows = x_.size(0), width = product.size(1);
  const float* bias = qkv.bias.defined() ? qkv.bias.const_data_ptr<float>() : nullptr;
  auto heads = is_narrow(product) ? matrix(wide_, width, at::kFloat) : product;
  if (is_narrow(product)) {
    cpu::widen(bf16(product), bias, rows, width, heads.mutable_data_ptr<float>());
  } else if (bias != nullptr) {
    heads.add_(qkv.bias);
  }
  rope_.rotate_on_host(heads, positions_, shape_.query_heads + 2 * shape_.kv_heads,
                       shape_.query_heads + shape_.kv_heads);
  attend_on_host(heads, rows_, index, shape_, attended_, mass_);
  input_ = attended_;
  if (input_dtype(next) != at::kBFloat16) return;
  input_ = matrix(inputs_, attended_.size(1), at::kBFloat16);
  cpu::narrow(attended_.const_data_ptr<float>(), attended_.numel(), mutable_bf16(input_));
}

void HostPass::activate(const at::Tensor& product, const LinearWeights& next) {
  const std::int64_t rows = x_.size(0), width = product.size(1) / 2;
  input_ = matrix(inputs_, width, input_dtype(next));
  if (is_narrow(product)) {
    cpu::swiglu(bf16(product), rows, width, mutable_bf16(input_));
  } else if (is_narrow(input_)) {
    cpu::swiglu(product.const_data_ptr<float>(), rows, width, mutable_bf16(input_));
  } else {
    cpu::swiglu(product.const_data_ptr<float>(), rows, width, input_.mutable_data_ptr<float>());
  }
}

void HostPass::add(const at::Tensor& product) {
  auto* x = x_.mutable_data_ptr<float>();
  if (tp_.size() == 1 && is_narrow(product)) {
    cpu::add(bf16(product), x_.numel(), x);
  } else if (tp_.size() == 1) {
    cpu::add(product.const_data_ptr<float>(), x_.numel(), x);
  } else {
    auto sum = product;
    if (is_narrow(product)) {
      sum = matrix(wide_, product.size(1), at::kFloat);
      cpu::widen(bf16(product), nullptr, product.size(0), product.size(1),
                 sum.mutable_data_ptr<float>());
    }
    tp_.all_reduce(sum, ReduceOp::kSum);
    cpu::add(sum.const_data_ptr<float>(), x_.numel(), x);
  }
}

}  // namespace softcot
