#include "model/device_attention.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <limits>
#include <optional>

#include "runtime/to_device.h"

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

/// 0 where query t of T may look at position s of S = past + T, else -inf. None when there is no
/// past: then the library's own causal rule is the same and cheaper.
std::optional<at::Tensor> causal_mask(std::int64_t tokens, std::int64_t total,
                                      const at::TensorOptions& options) {
  if (tokens == total || tokens == 1) return std::nullopt;
  return at::full({tokens, total}, -std::numeric_limits<float>::infinity(), options)
      .triu_(total - tokens + 1);
}

at::Tensor counts_on(at::Device device, const std::vector<int>& numbers) {
  return to_device(at::tensor(numbers, at::kInt), device);
}

}  // namespace

DeviceBatch::Kernel DeviceBatch::kernel_for(at::Device device, at::ScalarType dtype,
                                            const AttentionShape& shape) {
  const std::int64_t width = shape.head_width;
  if (device.is_cuda() && dtype == at::kBFloat16 && width % 8 == 0 && width <= 256) {
    return Kernel::kFlash;
  }
  if (device.is_cuda() && dtype == at::kFloat && width % 4 == 0) return Kernel::kEfficient;
  return Kernel::kEachRow;
}

bool DeviceBatch::reads_in_place(at::Device device, at::ScalarType dtype,
                                 const AttentionShape& shape) {
  return kernel_for(device, dtype, shape) != Kernel::kEachRow;
}

DeviceBatch::DeviceBatch(const std::vector<PackedRow>& rows, const at::Tensor& positions,
                         at::ScalarType dtype, const AttentionShape& shape,
                         const RotaryEmbedding& rope)
    : rows_(&rows),
      shape_(shape),
      kernel_(kernel_for(positions.device(), dtype, shape)),
      table_(rope.table(positions)) {
  find_keys(rows, positions.device());
}

DeviceBatch::DeviceBatch(const Places& places, const KvSegment& memory, std::int64_t longest,
                         at::ScalarType dtype, const AttentionShape& shape,
                         const RotaryEmbedding& rope)
    : shape_(shape),
      kernel_(kernel_for(places.positions.device(), dtype, shape)),
      table_(rope.table(places.positions)),
      memories_{{memory.memory_keys(), memory.memory_values(), 0}},
      in_place_(true),
      write_at_(places.ends),
      longest_query_(1),
      longest_key_(longest) {
  const std::int64_t rows = places.positions.size(0);
  query_ends_ = at::arange(rows + 1, places.positions.options().dtype(at::kInt));
  key_begins_ = at::cat({places.begins, places.begins.narrow(0, 0, 1)}).to(at::kInt);
  key_counts_ = (places.positions + 1).to(at::kInt);
}

/// Whether the kernel itself lets query heads share a key-value head.
bool DeviceBatch::groups_heads() const {
  return shape_.query_heads == shape_.kv_heads ||
         (kernel_ == Kernel::kFlash && in_equal_groups(shape_));
}

/// Where the segment's tokens begin among those of all memories.
std::int64_t DeviceBatch::place_in_memory(const KvSegment& segment) {
  for (const Memory& memory : memories_) {
    if (memory.keys.is_same(segment.memory_keys())) return memory.begin + segment.begin();
  }
  const std::int64_t begin =
      memories_.empty() ? 0 : memories_.back().begin + memories_.back().keys.size(1);
  memories_.push_back({segment.memory_keys(), segment.memory_values(), begin});
  return begin + segment.begin();
}

void DeviceBatch::find_keys(const std::vector<PackedRow>& rows, at::Device device) {
  std::vector<std::int64_t> keys, firsts, written;  // In memories from 0 on, new ones below.
  std::vector<int> query_ends = {0};
  std::int64_t fresh = 0;
  bool consecutive = true;
  for (const auto& row : rows) {
    const std::size_t first = keys.size();
    const auto add = [&](std::int64_t begin, std::int64_t count) {
      for (std::int64_t t = 0; t < count; ++t) keys.push_back(begin + t);
    };
    for (const auto& segment : row.past) {
      if (segment->tokens() > 0) add(place_in_memory(*segment), segment->tokens());
    }
    if (row.own) {
      const std::int64_t begin = place_in_memory(*row.own), present = row.own->tokens();
      add(begin, present + row.tokens);
      for (std::int64_t t = 0; t < row.tokens; ++t) written.push_back(begin + present + t);
    } else {
      reads_new_ = true;
      for (std::int64_t t = 0; t < row.tokens; ++t) keys.push_back(-1 - (fresh + t));
    }
    fresh += row.tokens;
    counts_.push_back(static_cast<std::int64_t>(keys.size() - first));
    firsts.push_back(counts_.back() > 0 ? keys[first] : 0);
    consecutive = consecutive && row.past.empty() && row.own;
    query_ends.push_back(static_cast<int>(fresh));
    longest_query_ = std::max(longest_query_, row.tokens);
    longest_key_ = std::max(longest_key_, counts_.back());
  }
  query_ends_ = counts_on(device, query_ends);
  in_place_ = consecutive && memories_.size() == 1 && kernel_ == Kernel::kFlash && groups_heads();

  std::vector<int> begins = {0}, counts(counts_.begin(), counts_.end());
  if (in_place_) {
    begins.assign(firsts.begin(), firsts.end());
    begins.push_back(0);  // Not read.
    key_counts_ = counts_on(device, counts);
  } else {
    for (const int count : counts) begins.push_back(begins.back() + count);
    for (auto& key : keys) key = key < 0 ? -1 - key : key + (reads_new_ ? fresh : 0);
    if (!memories_.empty()) key_index_ = to_device(keys, device);
  }
  key_begins_ = counts_on(device, begins);

  // New tokens go to one memory in one kernel, to several row by row.
  if (written.empty() || static_cast<std::int64_t>(written.size()) != fresh) return;
  for (write_memory_ = 0; write_memory_ < memories_.size(); ++write_memory_) {
    const std::int64_t begin = memories_[write_memory_].begin;
    const std::int64_t end = begin + memories_[write_memory_].keys.size(1);
    const auto inside = [&](std::int64_t at) { return at >= begin && at < end; };
    if (!std::all_of(written.begin(), written.end(), inside)) continue;
    for (auto& at : written) at -= begin;
    write_at_ = to_device(written, device);
    return;
  }
}

void DeviceBatch::remember(const at::Tensor& key, const at::Tensor& value,
                           std::int64_t layer) const {
  if (write_at_.defined()) {
    memories_[write_memory_].keys.select(0, layer).index_copy_(0, write_at_, key);
    memories_[write_memory_].values.select(0, layer).index_copy_(0, write_at_, value);
    return;
  }
  std::int64_t at = 0;
  for (const auto& row : *rows_) {
    if (row.own) {
      row.own->write(layer, key.narrow(0, at, row.tokens), value.narrow(0, at, row.tokens));
    }
    at += row.tokens;
  }
}

/// What the rows attend to, row after row, or in place: [S, K, D].
at::Tensor DeviceBatch::gather(const at::Tensor& fresh, at::Tensor Memory::*part,
                               std::int64_t layer) const {
  if (memories_.empty()) return fresh;
  std::vector<at::Tensor> all;
  if (reads_new_) all.push_back(fresh);
  for (const Memory& memory : memories_) all.push_back((memory.*part).select(0, layer));
  const auto joined = all.size() == 1 ? all[0] : at::cat(all);
  return in_place_ ? joined : joined.index_select(0, key_index_);
}

at::Tensor DeviceBatch::for_each_query_head(const at::Tensor& heads) const {
  return groups_heads() ? heads : heads.index_select(1, shape_.kv_index);
}

at::Tensor DeviceBatch::attend(const at::Tensor& qkv, std::int64_t layer) const {
  const std::int64_t queries = shape_.query_heads, kv = shape_.kv_heads;
  if (qkv.size(0) == 0) return qkv.narrow(1, 0, queries * shape_.head_width);
  const auto heads = qkv.view({-1, shape_.heads(), shape_.head_width});
  const auto turned = table_.turn(heads.narrow(1, 0, queries + kv));
  const auto query = turned.narrow(1, 0, queries);
  const auto new_key = turned.narrow(1, queries, kv);
  const auto new_value = heads.narrow(1, queries + kv, kv);
  remember(new_key, new_value, layer);
  const auto key = for_each_query_head(gather(new_key, &Memory::keys, layer));
  const auto value = for_each_query_head(gather(new_value, &Memory::values, layer));
  at::Tensor output;
  const auto counts = in_place_ ? std::optional(key_counts_) : std::nullopt;
  if (kernel_ == Kernel::kFlash) {
    output = std::get<0>(at::_flash_attention_forward(
        query, key, value, query_ends_, key_begins_, longest_query_, longest_key_,
        /*dropout_p=*/0.0, /*is_causal=*/true, /*return_debug_mask=*/false, shape_.scale(),
        /*window_size_left=*/std::nullopt, /*window_size_right=*/std::nullopt, counts));
  } else if (kernel_ == Kernel::kEfficient) {
    output = std::get<0>(at::_efficient_attention_forward(
        query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0), /*bias=*/{}, query_ends_,
        key_begins_, longest_query_, longest_key_, /*dropout_p=*/0.0, kCausalFromTheEnd,
        /*compute_log_sumexp=*/at::GradMode::is_enabled(), shape_.scale(), counts));
  } else {
    output = each_row_alone(query, key, value);
  }
  return output.reshape({qkv.size(0), -1});
}

at::Tensor DeviceBatch::each_row_alone(const at::Tensor& query, const at::Tensor& key,
                                       const at::Tensor& value) const {
  const auto by_head = [](const at::Tensor& x, std::int64_t begin, std::int64_t count) {
    return x.narrow(0, begin, count).transpose(0, 1).unsqueeze(0);
  };
  std::vector<at::Tensor> outputs;
  std::int64_t query_at = 0, key_at = 0;
  for (std::size_t r = 0; r < rows_->size(); ++r) {
    const std::int64_t tokens = (*rows_)[r].tokens, total = counts_[r];
    if (tokens > 0) {
      const auto mask = causal_mask(tokens, total, query.options());
      const auto output = at::scaled_dot_product_attention(
          by_head(query, query_at, tokens), by_head(key, key_at, total),
          by_head(value, key_at, total), mask, 0.0, !mask && tokens > 1, shape_.scale());
      outputs.push_back(output.squeeze(0).transpose(0, 1));
    }
    query_at += tokens;
    key_at += total;
  }
  return at::cat(outputs);
}

}  // namespace softcot
