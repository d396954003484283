#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/transformer.h"

namespace softcot {

/// Prompt tuning (Lester et al., 2021): trained embeddings for the N placeholders, the same for
/// every question. With SoftCoT beside it they are added to the projected thoughts: the task's
/// part of p = p_task + p_instance. The same on every rank.
class TaskVectors {
 public:
  /// Embeddings of ordinary tokens drawn by `seed`. Collective over the backbone's tp.
  static TaskVectors from_vocabulary(const Transformer& backbone, std::int64_t count,
                                     std::uint64_t seed);
  static TaskVectors zeros(std::int64_t count, std::int64_t width);
  /// Copies `vectors` [N, H] into a float32 autograd leaf.
  explicit TaskVectors(const at::Tensor& vectors);

  std::int64_t count() const { return vectors_.size(0); }
  /// [N, H].
  const at::Tensor& vectors() const { return vectors_; }

  /// The first n vectors for each of so many rows: [rows · n, H], differentiable. Throws kUsage
  /// for more than there are.
  at::Tensor repeat(std::int64_t rows, std::int64_t n) const;

 private:
  at::Tensor vectors_;
};

}  // namespace softcot
