#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "model/lora.h"
#include "model/parameter.h"
#include "model/projection.h"
#include "model/task_vectors.h"

namespace softcot {

/// All that a method trains beside the frozen backbone; each part may be absent.
struct TrainedParts {
  std::optional<Projection> projection;
  std::optional<TaskVectors> task;
  std::optional<Lora> lora;

  /// Every trained tensor, in a fixed order: projection.weight, projection.bias, task.vectors,
  /// lora.layers.0.q_proj.lora_A, …
  std::vector<Parameter> parameters() const;
  std::int64_t parameter_count() const;

  /// Whether placeholders get embeddings of ours at all.
  bool fills_placeholders() const { return projection || task; }

  /// The embeddings of n placeholders in each of so many rows, row after row: [rows · n, H]
  /// float32, differentiable; undefined when no part makes any. `thoughts` [rows · n, A] are the
  /// assistant's states, read by the projection alone.
  at::Tensor soft(const at::Tensor& thoughts, std::int64_t rows, std::int64_t n) const;
};

}  // namespace softcot
