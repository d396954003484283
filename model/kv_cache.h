#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "model/model_config.h"

namespace softcot {

/// Keys (rotated) and values of consecutive tokens of one row in every layer, as one rank holds
/// them. Constants for autograd.
class KvSegment {
 public:
  /// Room for `capacity` tokens; grows by doubling when reserve() needs more.
  KvSegment(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_width,
            std::int64_t capacity, const at::TensorOptions& options);
  /// Room for `capacity` tokens in the memory of `whole`, from its token `begin` on. Does not grow.
  KvSegment(const KvSegment& whole, std::int64_t begin, std::int64_t capacity);

  std::int64_t tokens() const { return tokens_; }
  std::int64_t bytes() const;
  at::ScalarType dtype() const { return keys_.scalar_type(); }

  /// Of `layer`, the first `tokens` tokens: [tokens, kv_heads, D].
  at::Tensor keys(std::int64_t layer, std::int64_t tokens) const;
  at::Tensor values(std::int64_t layer, std::int64_t tokens) const;

  /// Where the keys and values of `layer` lie, contiguous, for host segments in float32.
  const float* host_keys(std::int64_t layer) const;
  const float* host_values(std::int64_t layer) const;

  /// All memory that this segment is a part of, [L, M, kv_heads, D], and the token of it that it
  /// begins with. The same tensors for all parts of one segment.
  const at::Tensor& memory_keys() const { return keys_; }
  const at::Tensor& memory_values() const { return values_; }
  std::int64_t begin() const { return begin_; }

  /// Makes room for `count` tokens after the present ones. Throws kInternal for a part that is
  /// full.
  void reserve(std::int64_t count);
  /// Writes keys and values [count, kv_heads, D] of one layer behind the present tokens. They count
  /// as present after advance(count), once every layer has been written.
  void write(std::int64_t layer, const at::Tensor& keys, const at::Tensor& values);
  /// The same for a host segment in float32: `count` tokens of kv_heads · D numbers each, `step`
  /// numbers from one token to the next.
  void write_host(std::int64_t layer, const float* keys, const float* values, std::int64_t count,
                  std::int64_t step);
  void advance(std::int64_t count) { tokens_ += count; }
  /// Adds a copy of all tokens of another.
  void append(const KvSegment& other);
  void clear() { tokens_ = 0; }

 private:
  std::int64_t offset(std::int64_t layer) const {
    return layer * keys_.stride(0) + begin_ * keys_.stride(1);
  }

  at::Tensor keys_;  // [L, M, kv_heads, D], M the capacity of the whole
  at::Tensor values_;
  std::int64_t begin_ = 0;
  std::int64_t capacity_ = 0;
  std::int64_t tokens_ = 0;
};

using SharedSegment = std::shared_ptr<KvSegment>;

/// One row's share of a packed batch: `tokens` new tokens that attend, causally, to all of `past`
/// (oldest first; never written), then to what `own` holds, then to themselves. When `own` is set
/// the new keys and values are added to it.
struct PackedRow {
  std::int64_t tokens = 0;
  std::vector<SharedSegment> past;
  SharedSegment own;
  std::uint64_t noise = 0;  ///< Key of the row's random numbers, for dropout.

  /// Position of the first new token.
  std::int64_t position() const;
};

}  // namespace softcot
