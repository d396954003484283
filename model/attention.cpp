#include "model/attention.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <cmath>
#include <limits>

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

struct Heads {
  at::Tensor query;  // [1, Q, T, D]
  at::Tensor key;    // [1, Q, past + T, D], each KV head repeated for its query heads
  at::Tensor value;
};

at::Tensor expand_heads(const at::Tensor& x,
                        const AttentionShape& shape) {  // [S, K, D] → [1, Q, S, D]
  const auto heads = x.transpose(0, 1);
  if (shape.query_heads == shape.kv_heads) return heads.contiguous().unsqueeze(0);
  const auto index = at::tensor(shape.kv_of_query, at::TensorOptions(at::kLong).device(x.device()));
  return heads.index_select(0, index).unsqueeze(0);
}

/// [1, Q, S, D] → [S, K, D]: the sum over the query heads of each KV head.
at::Tensor reduce_heads(const at::Tensor& x, const AttentionShape& shape) {
  const auto heads = x.squeeze(0);
  if (shape.query_heads == shape.kv_heads) return heads.transpose(0, 1);
  const auto index = at::tensor(shape.kv_of_query, at::TensorOptions(at::kLong).device(x.device()));
  auto sums = at::zeros({shape.kv_heads, heads.size(1), heads.size(2)}, heads.options());
  return sums.index_add_(0, index, heads).transpose(0, 1);
}

/// The heads of one row; `rotated` [T, Q + 2K, D] are its new tokens.
Heads gather_heads(const at::Tensor& rotated, const PackedRow& row, const Call& call) {
  const auto& shape = *call.shape;
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> values;
  const auto add = [&](const KvSegment& segment) {
    if (segment.tokens() == 0) return;
    keys.push_back(segment.keys(call.layer, segment.tokens()).to(rotated.scalar_type()));
    values.push_back(segment.values(call.layer, segment.tokens()).to(rotated.scalar_type()));
  };
  for (const auto& segment : row.past) add(*segment);
  if (row.own) add(*row.own);
  keys.push_back(rotated.narrow(1, shape.query_heads, shape.kv_heads));
  values.push_back(rotated.narrow(1, shape.query_heads + shape.kv_heads, shape.kv_heads));
  return {rotated.narrow(1, 0, shape.query_heads).transpose(0, 1).unsqueeze(0),
          expand_heads(keys.size() == 1 ? keys[0] : at::cat(keys), shape),
          expand_heads(values.size() == 1 ? values[0] : at::cat(values), shape)};
}

/// 0 where query t of T may look at position s of S = past + T, else -inf. Undefined when there is
/// no past: then the library's own causal rule is the same and cheaper.
std::optional<at::Tensor> causal_mask(std::int64_t tokens, std::int64_t total,
                                      const at::TensorOptions& options) {
  if (tokens == total || tokens == 1) return std::nullopt;
  return at::full({tokens, total}, -std::numeric_limits<float>::infinity(), options)
      .triu_(total - tokens + 1);
}

double scale_of(const AttentionShape& shape) {
  return 1.0 / std::sqrt(static_cast<double>(shape.head_width));
}

/// The host library's fused kernel, which keeps only the log-sum-exp for the backward pass.
struct PackedAttentionFunction : torch::autograd::Function<PackedAttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            const at::Tensor& positions, const c10::intrusive_ptr<Call>& call) {
    const auto& shape = *call->shape;
    const std::int64_t heads = shape.query_heads + 2 * shape.kv_heads;
    const auto rotated =
        call->rope->rotate(qkv.view({-1, heads, shape.head_width}), positions,
                           shape.query_heads + shape.kv_heads, /*backwards=*/false);
    auto output = at::empty({qkv.size(0), shape.query_heads, shape.head_width}, qkv.options());
    variable_list saved = {rotated, positions, output};
    std::int64_t at = 0;
    for (const auto& row : call->rows) {
      const auto x = gather_heads(rotated.narrow(0, at, row.tokens), row, *call);
      const auto mask = causal_mask(row.tokens, x.key.size(2), x.query.options());
      auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
          x.query, x.key, x.value, 0.0, !mask && row.tokens > 1, mask, scale_of(shape));
      output.narrow(0, at, row.tokens).copy_(out.squeeze(0).transpose(0, 1));
      saved.push_back(lse);
      at += row.tokens;
    }
    context->save_for_backward(saved);
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return output.view({qkv.size(0), -1});
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto call =
        c10::static_intrusive_pointer_cast<Call>(context->saved_data["call"].toCapsule());
    const auto& shape = *call->shape;
    const auto saved = context->get_saved_variables();
    const auto& rotated = saved[0];
    const auto& positions = saved[1];
    const auto& output = saved[2];
    const auto d_output = gradients[0].contiguous().view_as(output);
    auto d_rotated = at::empty_like(rotated);
    std::int64_t at = 0;
    for (std::size_t r = 0; r < call->rows.size(); ++r) {
      const auto& row = call->rows[r];
      const auto x = gather_heads(rotated.narrow(0, at, row.tokens), row, *call);
      const auto mask = causal_mask(row.tokens, x.key.size(2), x.query.options());
      const auto out = output.narrow(0, at, row.tokens).transpose(0, 1).unsqueeze(0);
      const auto d_out = d_output.narrow(0, at, row.tokens).transpose(0, 1).unsqueeze(0);
      const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          d_out, x.query, x.key, x.value, out, saved[3 + r], 0.0, !mask && row.tokens > 1, mask,
          scale_of(shape));
      const std::int64_t past = x.key.size(2) - row.tokens;
      auto d_row = d_rotated.narrow(0, at, row.tokens);
      d_row.narrow(1, 0, shape.query_heads).copy_(dq.squeeze(0).transpose(0, 1));
      d_row.narrow(1, shape.query_heads, shape.kv_heads)
          .copy_(reduce_heads(dk.narrow(2, past, row.tokens), shape));
      d_row.narrow(1, shape.query_heads + shape.kv_heads, shape.kv_heads)
          .copy_(reduce_heads(dv.narrow(2, past, row.tokens), shape));
      at += row.tokens;
    }
    const auto d_qkv = call->rope->rotate(d_rotated, positions, shape.query_heads + shape.kv_heads,
                                          /*backwards=*/true);
    return {d_qkv.view({d_qkv.size(0), -1}), at::Tensor(), at::Tensor()};
  }
};

/// Adds the new keys and values to each row's own segment.
void remember(const at::Tensor& rotated, const Call& call) {
  const auto& shape = *call.shape;
  std::int64_t at = 0;
  for (const auto& row : call.rows) {
    if (row.own) {
      const auto tokens = rotated.narrow(0, at, row.tokens);
      row.own->write(call.layer, tokens.narrow(1, shape.query_heads, shape.kv_heads),
                     tokens.narrow(1, shape.query_heads + shape.kv_heads, shape.kv_heads));
    }
    at += row.tokens;
  }
}

/// Every row adds one token to a segment of its own: the fused host kernel reads keys and values
/// where they lie. rotated [B, Q + 2K, D].
at::Tensor decode(const at::Tensor& rotated, const Call& call) {
  const auto& shape = *call.shape;
  const auto count = static_cast<std::int64_t>(call.rows.size());
  auto output = at::empty({count, shape.query_heads * shape.head_width}, rotated.options());
  const auto* in = rotated.const_data_ptr<float>();
  auto* out = output.mutable_data_ptr<float>();
  std::vector<std::vector<cpu::KvSpan>> spans(count);
  std::vector<cpu::DecodeRow> rows(count);
  for (std::int64_t r = 0; r < count; ++r) {
    const auto& row = call.rows[r];
    const float* query = in + r * rotated.stride(0);
    const float* key = query + shape.query_heads * shape.head_width;
    row.own->write_host(call.layer, key, key + shape.kv_heads * shape.head_width);
    const auto add = [&](const KvSegment& segment, std::int64_t tokens) {
      spans[r].push_back({segment.host_keys(call.layer), segment.host_values(call.layer), tokens});
    };
    for (const auto& segment : row.past) add(*segment, segment->tokens());
    add(*row.own, row.own->tokens() + 1);
    rows[r] = {query, spans[r].data(), static_cast<int>(spans[r].size()),
               out + r * output.stride(0)};
  }
  cpu::decode_attention(rows.data(), count, shape.kv_of_query.data(), shape.query_heads,
                        shape.kv_heads, shape.head_width, static_cast<float>(scale_of(shape)));
  return output;
}

bool decodes_on_host(const at::Tensor& qkv, const std::vector<PackedRow>& rows) {
  if (!qkv.is_cpu() || qkv.scalar_type() != at::kFloat) return false;
  for (const auto& row : rows) {
    if (row.tokens != 1 || !row.own || row.own->dtype() != at::kFloat) return false;
    for (const auto& segment : row.past) {
      if (segment->dtype() != at::kFloat) return false;
    }
  }
  return true;
}

/// Row by row through the library's own kernels, whatever the device; autograd follows where it is
/// on.
at::Tensor attend_by_library(const at::Tensor& rotated, const Call& call) {
  const auto& shape = *call.shape;
  auto output =
      at::empty({rotated.size(0), shape.query_heads, shape.head_width}, rotated.options());
  std::int64_t at = 0;
  for (const auto& row : call.rows) {
    const auto x = gather_heads(rotated.narrow(0, at, row.tokens), row, call);
    const auto mask = causal_mask(row.tokens, x.key.size(2), x.query.options());
    const auto out = at::scaled_dot_product_attention(x.query, x.key, x.value, mask, 0.0,
                                                      !mask && row.tokens > 1, scale_of(shape));
    output.narrow(0, at, row.tokens).copy_(out.squeeze(0).transpose(0, 1));
    at += row.tokens;
  }
  return output.view({rotated.size(0), -1});
}

at::Tensor rotated_heads(const at::Tensor& qkv, const at::Tensor& positions, const Call& call) {
  const auto& shape = *call.shape;
  const std::int64_t heads = shape.query_heads + 2 * shape.kv_heads;
  return call.rope->rotate(qkv.view({-1, heads, shape.head_width}), positions,
                           shape.query_heads + shape.kv_heads, /*backwards=*/false);
}

at::Tensor attend_without_autograd(const at::Tensor& qkv, const at::Tensor& positions,
                                   const Call& call) {
  const auto rotated = rotated_heads(qkv, positions, call);
  if (decodes_on_host(qkv, call.rows)) return decode(rotated, call);
  const auto output = attend_by_library(rotated, call);
  remember(rotated, call);
  return output;
}

}  // namespace

AttentionShape::AttentionShape(const ShardPlan& plan, std::int64_t width)
    : query_heads(plan.query_heads()),
      kv_heads(plan.kv_heads()),
      head_width(width),
      kv_of_query(plan.kv_of_query()) {}

at::Tensor packed_attention(const at::Tensor& qkv, const at::Tensor& positions,
                            const std::vector<PackedRow>& rows, std::int64_t layer,
                            const AttentionShape& shape, const RotaryEmbedding& rope) {
  auto call = c10::make_intrusive<Call>();
  call->rows = rows;
  call->layer = layer;
  call->shape = &shape;
  call->rope = &rope;
  if (!at::GradMode::is_enabled() || !qkv.requires_grad()) {
    return attend_without_autograd(qkv, positions, *call);
  }
  for (const auto& row : rows) {
    if (row.own) fail(ExitCode::kInternal, {.what = "a growing cache segment under autograd"});
  }
  if (!qkv.is_cpu()) return attend_by_library(rotated_heads(qkv, positions, *call), *call);
  return PackedAttentionFunction::apply(qkv, positions, call);
}

}  // namespace softcot
