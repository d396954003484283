#include "model/host_pass.h"

#include "model/cpu_kernels.h"
#include "model/elementwise.h"

namespace softcot {

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
  if (trace != nullptr) trace->attention_in = x_;
  normalize(layer.attention_norm, layer.qkv, trace == nullptr ? nullptr : &trace->attention_scale);
  attend(multiply(layer.qkv), layer.qkv, layer.attention_out, index, trace);
  add(multiply(layer.attention_out), /*in_place=*/trace == nullptr);

  if (trace != nullptr) trace->feed_forward_in = x_;
  normalize(layer.feed_forward_norm, layer.gate_up,
            trace == nullptr ? nullptr : &trace->feed_forward_scale);
  activate(multiply(layer.gate_up), layer.down, trace);
  add(multiply(layer.down), /*in_place=*/trace == nullptr);
}

at::Tensor HostPass::matrix(HostBuffer& buffer, std::int64_t width, at::ScalarType dtype) const {
  return buffer.matrix(x_.size(0), width, dtype);
}

at::ScalarType HostPass::input_dtype(const LinearWeights& next) const {
  return product_input_dtype(x_.size(0), next.weight);
}

void HostPass::normalize(const at::Tensor& weight, const LinearWeights& next, at::Tensor* scale) {
  const std::int64_t rows = x_.size(0), width = x_.size(1);
  if (scale != nullptr) *scale = at::empty({rows}, at::kFloat);
  input_ = matrix(inputs_, width, input_dtype(next));
  write_numbers(input_, [&](auto* y) {
    cpu::rms_norm(x_.const_data_ptr<float>(), weight.const_data_ptr<float>(), epsilon_, rows, width,
                  y, scale == nullptr ? nullptr : scale->mutable_data_ptr<float>());
  });
}

at::Tensor HostPass::multiply(const LinearWeights& layer) {
  auto product =
      matrix(products_, layer.weight.size(0), product_output_dtype(x_.size(0), layer.weight));
  multiply_transposed(input_, layer.weight, product);
  return product;
}

void HostPass::attend(const at::Tensor& product, const LinearWeights& qkv,
                      const LinearWeights& next, std::int64_t index, LayerTrace* trace) {
  const std::int64_t rows = x_.size(0), width = product.size(1);
  const float* bias = qkv.bias.defined() ? qkv.bias.const_data_ptr<float>() : nullptr;
  auto heads = is_narrow(product) ? matrix(wide_, width, at::kFloat) : product;
  if (is_narrow(product)) {
    cpu::widen(static_cast<const std::uint16_t*>(product.const_data_ptr()), bias, rows, width,
               heads.mutable_data_ptr<float>());
  } else if (bias != nullptr) {
    heads.add_(qkv.bias);
  }
  rope_.rotate_on_host(heads, positions_, shape_.query_heads + 2 * shape_.kv_heads,
                       shape_.query_heads + shape_.kv_heads, /*backwards=*/false);
  auto attended = matrix(attended_, shape_.query_heads * shape_.head_width, at::kFloat);
  auto mass = matrix(mass_, shape_.query_heads, at::kFloat);
  attend_on_host(heads, rows_, index, shape_, attended, mass);
  input_ = attended;
  if (input_dtype(next) == at::kBFloat16) {
    input_ = matrix(inputs_, attended.size(1), at::kBFloat16);
    cpu::narrow(attended.const_data_ptr<float>(), attended.numel(),
                static_cast<std::uint16_t*>(input_.mutable_data_ptr()));
  }
  if (trace == nullptr) return;
  trace->heads = heads;
  trace->attended = attended;
  trace->mass = mass;
  (is_narrow(product) ? wide_ : products_).let_go();
  attended_.let_go();
  mass_.let_go();
}

void HostPass::activate(const at::Tensor& product, const LinearWeights& next, LayerTrace* trace) {
  const std::int64_t rows = x_.size(0), width = product.size(1) / 2;
  input_ = matrix(inputs_, width, input_dtype(next));
  read_numbers(product, [&](const auto* gate_up) {
    write_numbers(input_, [&](auto* y) { cpu::swiglu(gate_up, rows, width, y); });
  });
  if (trace == nullptr) return;
  trace->gate_up = product;
  products_.let_go();
}

void HostPass::add(const at::Tensor& product, bool in_place) {
  auto sum = product;
  if (tp_.size() > 1) {
    sum = widened(product, wide_);
    tp_.all_reduce(sum, ReduceOp::kSum);
  }
  if (!in_place) x_ = x_.clone();
  read_numbers(
      sum, [&](const auto* change) { cpu::add(change, x_.numel(), x_.mutable_data_ptr<float>()); });
}

}  // namespace softcot
