#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "model/attention_shape.h"
#include "model/device_attention.h"
#include "model/kv_cache.h"
#include "model/rope.h"

namespace softcot {

/// Rows that are computed together, and where their P new tokens stand.
struct PackedBatch {
  const std::vector<PackedRow>& rows;
  at::Tensor positions;               ///< [P] int64
  std::optional<DeviceBatch> device;  ///< Not on the host.
};

/// Rotary grouped-query attention of one layer over a packed batch: qkv [P, (Q + 2K) · D] holds the
/// new tokens' queries, keys and values (before rotation), row after row.
/// Each row attends within itself and its past only. Returns [P, Q · D]. Local.
///
/// Differentiable in qkv. Past keys and values are constants. A row with `own` set is not
/// differentiable: call it without autograd.
at::Tensor packed_attention(const at::Tensor& qkv, const PackedBatch& batch, std::int64_t layer,
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
