#include "model/attention.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>

#include "model/cpu_attention.h"
#include "model/cpu_kernels.h"
#include "runtime/error.h"

namespace softcot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Everything about a call but the tensor that autograd follows. Lives until the backward pass.
struct Call : torch::CustomClassHolder {
  std::vector<PackedRow> rows;
  std::int64_t layer;
  const AttentionShape* shape;
  const RotaryEmbedding* rope;
};

/// Numbers from one token's heads to the next's.
std::int64_t step_of(const AttentionShape& shape) { return shape.heads() * shape.head_width; }

at::Tensor rotated_heads(const at::Tensor& qkv, const at::Tensor& positions, const Call& call) {
  const auto& shape = *call.shape;
  auto heads = qkv.view({-1, shape.heads(), shape.head_width}).clone(at::MemoryFormat::Contiguous);
  call.rope->rotate_on_host(heads, positions, shape.heads(), shape.query_heads + shape.kv_heads,
                            /*backwards=*/false);
  return heads;
}

/// Where the host kernels find the rows of one layer: heads [P, (Q + 2K) · D], output [P, Q · D],
/// mass [P · Q].
std::vector<cpu::AttentionRow> host_rows(const at::Tensor& heads,
                                         const std::vector<PackedRow>& rows, std::int64_t layer,
                                         const AttentionShape& shape, const at::Tensor& output,
                                         const at::Tensor& mass) {
  const std::int64_t width = shape.query_heads * shape.head_width;
  std::vector<cpu::AttentionRow> host;
  host.reserve(rows.size());
  std::int64_t at = 0;
  for (const auto& row : rows) {
    cpu::AttentionRow& each = host.emplace_back();
    each.heads = heads.const_data_ptr<float>() + at * step_of(shape);
    each.tokens = row.tokens;
    const auto add = [&](const KvSegment& segment) {
      each.past.push_back({segment.host_keys(layer), segment.host_values(layer), segment.tokens()});
    };
    for (const auto& segment : row.past) add(*segment);
    if (row.own) add(*row.own);
    each.output = output.mutable_data_ptr<float>() + at * width;
    each.mass = mass.mutable_data_ptr<float>() + at * shape.query_heads;
    at += row.tokens;
  }
  return host;
}

cpu::AttentionHeads host_heads(const AttentionShape& shape) {
  return {shape.query_heads, shape.kv_heads, shape.head_width, shape.kv_of_query.data(),
          static_cast<float>(shape.scale())};
}

/// The fused host kernels, which keep only each score's log-sum-exp for the backward pass.
struct PackedAttentionFunction : torch::autograd::Function<PackedAttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            const at::Tensor& positions, const c10::intrusive_ptr<Call>& call) {
    const auto rotated = rotated_heads(qkv, positions, *call);
    const auto& shape = *call->shape;
    const auto output =
        at::empty({rotated.size(0), shape.query_heads, shape.head_width}, rotated.options());
    const auto mass = at::empty({rotated.size(0) * shape.query_heads}, rotated.options());
    cpu::causal_attention(host_rows(rotated, call->rows, call->layer, shape, output, mass),
                          host_heads(shape));
    context->save_for_backward({rotated, positions, output, mass});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return output.view({qkv.size(0), -1});
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto call =
        c10::static_intrusive_pointer_cast<Call>(context->saved_data["call"].toCapsule());
    const auto& shape = *call->shape;
    const auto saved = context->get_saved_variables();
    const auto &rotated = saved[0], &positions = saved[1], &output = saved[2], &mass = saved[3];
    auto d_heads = at::empty_like(rotated);
    attend_backward_on_host(gradients[0].contiguous(), rotated, call->rows, call->layer, shape,
                            output, mass, d_heads);
    call->rope->rotate_on_host(d_heads, positions, step_of(shape) / shape.head_width,
                               shape.query_heads + shape.kv_heads, /*backwards=*/true);
    return {d_heads.view({d_heads.size(0), -1}), at::Tensor(), at::Tensor()};
  }
};

void remember_on_host(const at::Tensor& heads, const std::vector<PackedRow>& rows,
                      std::int64_t layer, const AttentionShape& shape) {
  const float* key = heads.const_data_ptr<float>() + shape.query_heads * shape.head_width;
  const std::int64_t values = shape.kv_heads * shape.head_width, step = step_of(shape);
  for (const auto& row : rows) {
    if (row.own) row.own->write_host(layer, key, key + values, row.tokens, step);
    key += row.tokens * step;
  }
}

/// Every row adds one token to a segment of its own, where its key and value are already.
void decode(const at::Tensor& heads, const std::vector<PackedRow>& rows, std::int64_t layer,
            const AttentionShape& shape, at::Tensor& output) {
  std::vector<cpu::KvSpan> spans;
  std::vector<cpu::DecodeRow> host;
  std::size_t most = 0;
  for (const auto& row : rows) most += row.past.size() + 1;
  spans.reserve(most);  // Rows keep pointers into it.
  const auto count = static_cast<std::int64_t>(rows.size());
  for (std::int64_t r = 0; r < count; ++r) {
    const auto& row = rows[r];
    const std::size_t first = spans.size();
    const auto add = [&](const KvSegment& segment, std::int64_t tokens) {
      spans.push_back({segment.host_keys(layer), segment.host_values(layer), tokens});
    };
    for (const auto& segment : row.past) add(*segment, segment->tokens());
    add(*row.own, row.own->tokens() + 1);
    host.push_back({heads.const_data_ptr<float>() + r * step_of(shape), spans.data() + first,
                    static_cast<int>(spans.size() - first),
                    output.mutable_data_ptr<float>() + r * shape.query_heads * shape.head_width});
  }
  cpu::decode_attention(host, host_heads(shape));
}

bool decodes(const std::vector<PackedRow>& rows) {
  return std::all_of(rows.begin(), rows.end(),
                     [](const PackedRow& row) { return row.tokens == 1 && row.own; });
}

at::Tensor attend_without_autograd(const at::Tensor& qkv, const at::Tensor& positions,
                                   const Call& call) {
  const auto rotated = rotated_heads(qkv, positions, call);
  const auto& shape = *call.shape;
  auto output = at::empty({qkv.size(0), shape.query_heads * shape.head_width}, qkv.options());
  auto mass = at::empty({qkv.size(0) * shape.query_heads}, qkv.options());
  attend_on_host(rotated, call.rows, call.layer, shape, output, mass);
  return output;
}

}  // namespace

bool on_host_in_float(const at::Tensor& x, const std::vector<PackedRow>& rows) {
  if (!x.is_cpu() || x.scalar_type() != at::kFloat) return false;
  for (const auto& row : rows) {
    if (row.own && row.own->dtype() != at::kFloat) return false;
    for (const auto& segment : row.past) {
      if (segment->dtype() != at::kFloat) return false;
    }
  }
  return true;
}

void attend_on_host(const at::Tensor& heads, const std::vector<PackedRow>& rows, std::int64_t layer,
                    const AttentionShape& shape, at::Tensor& output, at::Tensor& mass) {
  remember_on_host(heads, rows, layer, shape);
  if (decodes(rows)) {
    decode(heads, rows, layer, shape, output);
  } else {
    cpu::causal_attention(host_rows(heads, rows, layer, shape, output, mass), host_heads(shape));
  }
}

void attend_backward_on_host(const at::Tensor& d_output, const at::Tensor& heads,
                             const std::vector<PackedRow>& rows, std::int64_t layer,
                             const AttentionShape& shape, const at::Tensor& output,
                             const at::Tensor& mass, at::Tensor& d_heads) {
  const std::int64_t width = shape.query_heads * shape.head_width;
  std::vector<cpu::AttentionGradient> parts;
  std::int64_t at = 0;
  for (const auto& row : rows) {
    parts.push_back({d_output.const_data_ptr<float>() + at * width,
                     d_heads.mutable_data_ptr<float>() + at * step_of(shape)});
    at += row.tokens;
  }
  cpu::causal_attention_backward(host_rows(heads, rows, layer, shape, output, mass), parts,
                                 host_heads(shape));
}

at::Tensor packed_attention(const at::Tensor& qkv, const PackedBatch& batch, std::int64_t layer,
                            const AttentionShape& shape, const RotaryEmbedding& rope) {
  const bool differentiable = at::GradMode::is_enabled() && qkv.requires_grad();
  if (differentiable) {
    for (const auto& row : batch.rows) {
      if (row.own) fail(ExitCode::kInternal, {.what = "a growing cache segment under autograd"});
    }
  }
  if (batch.device) return batch.device->attend(qkv, layer);
  auto call = c10::make_intrusive<Call>();
  call->rows = batch.rows;
  call->layer = layer;
  call->shape = &shape;
  call->rope = &rope;
  if (!differentiable) return attend_without_autograd(qkv, batch.positions, *call);
  return PackedAttentionFunction::apply(qkv, batch.positions, call);
}

}  // namespace softcot
