#include "model/device_attention.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <limits>
#include <optional>

namespace softcot {
namespace {

/// Causal, the last query of a row at its last key.
constexpr std::int64_t kCausalFromTheEnd = 2;

bool in_equal_groups(const AttentionShape& shape) {
  if (shape.query_heads % shape.kv_heads != 0) return false;
  const std::int64_t group = shape.query_heads / shape.kv_heads;
  for (std::int64_t q = 0; q < shape.query_heads; ++q) {
    if (shape.kv_of_query[q] != q / group) return false;
  }
  return true;
}

/// What the fused kernels take.
bool flash_serves(const at::Tensor& x, std::int64_t head_width) {
  return x.is_cuda() && x.scalar_type() == at::kBFloat16 && head_width % 8 == 0 &&
         head_width <= 256;
}
bool efficient_serves(const at::Tensor& x, std::int64_t head_width) {
  return x.is_cuda() && x.scalar_type() == at::kFloat && head_width % 4 == 0;
}

at::Tensor joined(const std::vector<at::Tensor>& parts) {
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

/// 0 where query t of T may look at position s of S = past + T, else -inf. None when there is no
/// past: then the library's own causal rule is the same and cheaper.
std::optional<at::Tensor> causal_mask(std::int64_t tokens, std::int64_t total,
                                      const at::TensorOptions& options) {
  if (tokens == total || tokens == 1) return std::nullopt;
  return at::full({tokens, total}, -std::numeric_limits<float>::infinity(), options)
      .triu_(total - tokens + 1);
}

}  // namespace

DeviceBatch::DeviceBatch(const std::vector<PackedRow>& rows, const at::Tensor& positions,
                         const AttentionShape& shape, const RotaryEmbedding& rope)
    : rows_(rows),
      shape_(shape),
      table_(rope.table(positions)),
      kv_of_query_(at::tensor(shape.kv_of_query, at::kLong).to(positions.device())),
      grouped_(in_equal_groups(shape)) {
  std::vector<int> query_ends = {0}, key_ends = {0};
  for (const auto& row : rows) {
    keys_.push_back(row.position() + row.tokens);
    query_ends.push_back(query_ends.back() + static_cast<int>(row.tokens));
    key_ends.push_back(key_ends.back() + static_cast<int>(keys_.back()));
    longest_query_ = std::max(longest_query_, row.tokens);
    longest_key_ = std::max(longest_key_, keys_.back());
    grows_ = grows_ || row.own;
    decodes_ = decodes_ && row.tokens == 1 && row.own;
    attends_back_ = attends_back_ || keys_.back() > row.tokens;
  }
  query_ends_ = at::tensor(query_ends, at::kInt).to(positions.device());
  key_ends_ = at::tensor(key_ends, at::kInt).to(positions.device());
}

/// Rotates, remembers what the rows' own segments are to hold, and puts each row's past before its
/// new keys and values.
DeviceBatch::Heads DeviceBatch::gather(const at::Tensor& qkv, std::int64_t layer) const {
  const std::int64_t queries = shape_.query_heads, kv = shape_.kv_heads;
  const auto heads = qkv.view({-1, shape_.heads(), shape_.head_width});
  const auto turned = table_.turn(heads.narrow(1, 0, queries + kv));
  const auto key = turned.narrow(1, queries, kv);
  const auto value = heads.narrow(1, queries + kv, kv);
  const auto query = turned.narrow(1, 0, queries);
  if (!grows_ && !attends_back_) return {query, key, value};

  std::vector<at::Tensor> keys, values, own, added;
  std::int64_t at = 0;
  for (const auto& row : rows_) {
    for (const auto& segment : row.past) {
      if (segment->tokens() == 0) continue;
      keys.push_back(segment->keys(layer, segment->tokens()));
      values.push_back(segment->values(layer, segment->tokens()));
    }
    auto new_keys = key.narrow(0, at, row.tokens);
    auto new_values = value.narrow(0, at, row.tokens);
    at += row.tokens;
    if (row.own && decodes_) {
      own.push_back(row.own->next_keys(layer));
      own.push_back(row.own->next_values(layer));
      added.push_back(new_keys.reshape({-1}));
      added.push_back(new_values.reshape({-1}));
    } else if (row.own) {
      row.own->write(layer, new_keys, new_values);
    }
    if (row.own) {
      new_keys = row.own->keys(layer, row.own->tokens() + row.tokens);
      new_values = row.own->values(layer, row.own->tokens() + row.tokens);
    }
    keys.push_back(new_keys);
    values.push_back(new_values);
  }
  if (!own.empty()) at::_foreach_copy_(own, added);  // In one kernel.
  return {query, joined(keys), joined(values)};
}

at::Tensor DeviceBatch::for_each_query_head(const at::Tensor& heads) const {
  if (shape_.query_heads == shape_.kv_heads) return heads;
  return heads.index_select(1, kv_of_query_);
}

at::Tensor DeviceBatch::attend(const at::Tensor& qkv, std::int64_t layer) const {
  if (qkv.size(0) == 0) return qkv.narrow(1, 0, shape_.query_heads * shape_.head_width);
  const Heads heads = gather(qkv, layer);
  at::Tensor output;
  if (flash_serves(qkv, shape_.head_width)) {
    const auto key = grouped_ ? heads.key : for_each_query_head(heads.key);
    const auto value = grouped_ ? heads.value : for_each_query_head(heads.value);
    output = std::get<0>(at::_flash_attention_forward(
        heads.query, key, value, query_ends_, key_ends_, longest_query_, longest_key_,
        /*dropout_p=*/0.0, /*is_causal=*/true, /*return_debug_mask=*/false, shape_.scale()));
  } else if (efficient_serves(qkv, shape_.head_width)) {
    output = std::get<0>(at::_efficient_attention_forward(
        heads.query.unsqueeze(0), for_each_query_head(heads.key).unsqueeze(0),
        for_each_query_head(heads.value).unsqueeze(0), /*bias=*/{}, query_ends_, key_ends_,
        longest_query_, longest_key_, /*dropout_p=*/0.0, kCausalFromTheEnd,
        /*compute_log_sumexp=*/at::GradMode::is_enabled(), shape_.scale()));
  } else {
    output = each_row_alone(heads);
  }
  return output.reshape({qkv.size(0), -1});
}

at::Tensor DeviceBatch::each_row_alone(const Heads& heads) const {
  const auto key = for_each_query_head(heads.key), value = for_each_query_head(heads.value);
  const auto by_head = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  std::vector<at::Tensor> outputs;
  std::int64_t query_at = 0, key_at = 0;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    const std::int64_t tokens = rows_[r].tokens, total = keys_[r];
    if (tokens == 0) {
      key_at += total;
      continue;
    }
    const auto query = by_head(heads.query.narrow(0, query_at, tokens));
    const auto mask = causal_mask(tokens, total, query.options());
    const auto output = at::scaled_dot_product_attention(
        query, by_head(key.narrow(0, key_at, total)), by_head(value.narrow(0, key_at, total)), mask,
        0.0, !mask && tokens > 1, shape_.scale());
    outputs.push_back(output.squeeze(0).transpose(0, 1));
    query_at += tokens;
    key_at += total;
  }
  return joined(outputs);
}

}  // namespace softcot
