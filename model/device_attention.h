#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/attention_shape.h"
#include "model/kv_cache.h"
#include "model/rope.h"

namespace softcot {

/// A packed batch of P tokens in B rows as attention by LibTorch's operators takes it: made once,
/// for all layers, so that no layer sends anything from the host or does anything row by row.
class DeviceBatch {
 public:
  /// Places of B rows that each add one token to a part of one memory: [B] int64 on the device, the
  /// positions of the new tokens, where in the memory each row begins, and where its new token
  /// goes.
  struct Places {
    at::Tensor positions, begins, ends;
  };

  /// `positions` [P] int64, on the device; rope.reserve() must cover them. The rows' own segments
  /// must have room for their new tokens. `dtype` is that of the activations.
  DeviceBatch(const std::vector<PackedRow>& rows, const at::Tensor& positions, at::ScalarType dtype,
              const AttentionShape& shape, const RotaryEmbedding& rope);

  /// Rows of which the host knows no more than that `longest` bounds their tokens: everything else
  /// is in the tensors, as it has to be in work that is recorded once. Only where reads_in_place().
  DeviceBatch(const Places& places, const KvSegment& memory, std::int64_t longest,
              at::ScalarType dtype, const AttentionShape& shape, const RotaryEmbedding& rope);

  /// Whether a kernel serves that reads the keys of rows in parts of one memory where they are.
  static bool reads_in_place(at::Device device, at::ScalarType dtype, const AttentionShape& shape);

  /// The attention of packed_attention(): qkv [P, (Q + 2K) · D], not rotated yet, to [P, Q · D].
  /// New keys and values go to the rows' own segments. Differentiable in qkv where no row has one.
  /// On GPUs all rows in one call of LibTorch's fused kernels for rows of any length (Dao, 2023, in
  /// bfloat16; Rabe and Staats, 2021, in float32), but row by row where these do not serve: for odd
  /// head widths, and on the host, where this is the tests' reference.
  at::Tensor attend(const at::Tensor& qkv, std::int64_t layer) const;

 private:
  enum class Kernel { kFlash, kEfficient, kEachRow };
  static Kernel kernel_for(at::Device device, at::ScalarType dtype, const AttentionShape& shape);
  bool groups_heads() const;

  /// Memory of some of the rows' segments, keys and values [L, M, K, D].
  struct Memory {
    at::Tensor keys, values;
    std::int64_t begin;  // of its tokens among those of all memories, after the new ones
  };

  std::int64_t place_in_memory(const KvSegment& segment);
  void find_keys(const std::vector<PackedRow>& rows, at::Device device);
  void remember(const at::Tensor& key, const at::Tensor& value, std::int64_t layer) const;
  at::Tensor gather(const at::Tensor& fresh, at::Tensor Memory::*part, std::int64_t layer) const;
  at::Tensor for_each_query_head(const at::Tensor& heads) const;
  at::Tensor each_row_alone(const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value) const;

  const std::vector<PackedRow>* rows_ = nullptr;  // Where the host knows them.
  const AttentionShape& shape_;
  Kernel kernel_;
  RotaryTable table_;
  std::vector<Memory> memories_;
  bool reads_new_ = false;  // Some row attends to new tokens that no segment takes.
  bool in_place_ = false;   // Each row's keys lie one after the other in the only memory.
  at::Tensor key_index_;    // [S] int64, among the new tokens and all memories; unless in place
  at::Tensor write_at_;     // [P] int64 in the only memory that new tokens go to, if it is one
  at::Tensor query_ends_;   // [B + 1] int32
  at::Tensor key_begins_;   // [B + 1] int32, also the ends where keys are gathered
  at::Tensor key_counts_;   // [B] int32, where they are read in place
  std::vector<std::int64_t> counts_;  // [B], keys of each row
  std::int64_t longest_query_ = 0;
  std::int64_t longest_key_ = 0;
  std::size_t write_memory_ = 0;
};

}  // namespace softcot
