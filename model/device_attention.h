#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention_shape.h"
#include "model/kv_cache.h"
#include "model/rope.h"

namespace softcot {

/// A packed batch of P tokens in B rows as attention by LibTorch's operators takes it: made once, for all
/// layers, so that none of them sends anything from the host.
class DeviceBatch {
 public:
  /// `positions` [P] int64, on the device. rope.reserve() must cover them.
  DeviceBatch(const std::vector<PackedRow>& rows, const at::Tensor& positions,
              const AttentionShape& shape, const RotaryEmbedding& rope);

  /// attention of packed_attention() on the device: qkv [P, (Q + 2K) · D] float32 or bfloat16, not
  /// rotated yet, to [P, Q · D]. New keys and values go to the rows' own segments. Differentiable
  /// in qkv where no row has such a segment. On GPUs all rows in one call of LibTorch's fused
  /// kernels for rows of any length (Dao, 2023, in bfloat16; Rabe and Staats, 2021, in float32), but
  /// row by row where these do not serve: for odd head widths, and on the host, where this is the
  /// tests' reference.
  at::Tensor attend(const at::Tensor& qkv, std::int64_t layer) const;

 private:
  struct Heads {
    at::Tensor query;  // [P, Q, D]
    at::Tensor key;    // [S, K, D]: of all rows, what they attend to
    at::Tensor value;
  };
  Heads gather(const at::Tensor& qkv, std::int64_t layer) const;
  at::Tensor each_row_alone(const Heads& heads) const;
  at::Tensor for_each_query_head(const at::Tensor& heads) const;

  const std::vector<PackedRow>& rows_;
  const AttentionShape& shape_;
  RotaryTable table_;
  at::Tensor kv_of_query_;            // [Q] int64
  at::Tensor query_ends_, key_ends_;  // [B + 1] int32
  std::vector<std::int64_t> keys_;    // [B], to which each row attends
  std::int64_t longest_query_ = 0;
  std::int64_t longest_key_ = 0;
  bool grows_ = false;    // Some row has a segment of its own.
  bool decodes_ = true;   // Every row adds one token.
  bool attends_back_ = false;  // Some row has a past.
  bool grouped_ = true;   // Query heads share KV heads in equal groups, in order.
};

}  // namespace softcot
