#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/kv_cache.h"
#include "model/rope.h"
#include "model/shard_plan.h"

namespace softcot {

/// Sizes of a rank's attention: Q query heads and K key-value heads of width D.
struct AttentionShape {
  std::int64_t query_heads;
  std::int64_t kv_heads;
  std::int64_t head_width;
  std::vector<std::int64_t> kv_of_query;  ///< [Q], the KV head each query head reads.

  explicit AttentionShape(const ShardPlan& plan, std::int64_t head_width);
};

/// Rotary grouped-query attention of one layer over a packed batch: qkv [P, (Q + 2K) · D] holds the
/// new tokens' queries, keys and values (before rotation), row after row; positions [P] are theirs.
/// Each row attends within itself and its past only. Returns [P, Q · D]. Local.
///
/// Differentiable in qkv. Past keys and values are constants. A row with `own` set is not
/// differentiable: call it without autograd.
at::Tensor packed_attention(const at::Tensor& qkv, const at::Tensor& positions,
                            const std::vector<PackedRow>& rows, std::int64_t layer,
                            const AttentionShape& shape, const RotaryEmbedding& rope);

/// The same without autograd for `heads` [P, (Q + 2K) · D], rotated already, into `output`
/// [P, Q · D]; `mass` [P · Q] is working memory. Only where on_host_in_float.
void attend_on_host(const at::Tensor& heads, const std::vector<PackedRow>& rows, std::int64_t layer,
                    const AttentionShape& shape, at::Tensor& output, at::Tensor& mass);

/// Its backward pass: fills `d_heads` [P, (Q + 2K) · D] from `d_output` [P, Q · D]; heads, output
/// and mass are what attend_on_host took and left. The past gets no gradient.
void attend_backward_on_host(const at::Tensor& d_output, const at::Tensor& heads,
                             const std::vector<PackedRow>& rows, std::int64_t layer,
                             const AttentionShape& shape, const at::Tensor& output,
                             const at::Tensor& mass, at::Tensor& d_heads);

/// Whether x and the rows' segments are float32 on the host.
bool on_host_in_float(const at::Tensor& x, const std::vector<PackedRow>& rows);

}  // namespace softcot
