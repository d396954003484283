#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "model/lora.h"
#include "model/parameter.h"
#include "model/projection.h"
#include "model/soft_prompt.h"
#include "model/task_vectors.h"

namespace softcot {

/// What stands at the placeholders of a row.
enum class Filling {
  kParts,   ///< What projection and task vectors make; nothing when both are absent.
  kLatent,  ///< The model's own last states (model/latent_thoughts.h).
  kPause,   ///< The first task vector, at each of them.
};

/// All that a method trains; each part may be absent.
struct TrainedParts {
  std::optional<Projection> projection;
  std::optional<TaskVectors> task;
  std::optional<Lora> lora;
  std::vector<Parameter> weights;  ///< The backbone's own (Transformer::trained_weights).
  Filling filling = Filling::kParts;

  /// Every trained tensor, in a fixed order: projection.weight, projection.bias, task.vectors,
  /// lora.layers.0.q_proj.lora_A, …, backbone.model.embed_tokens.weight, …
  std::vector<Parameter> parameters() const;
  /// Makes new tensors of them on `device`, where the backbone's own weights are already. Local.
  void to(at::Device device);
  /// Elements of all of them over the tp ranks.
  std::int64_t parameter_count() const;

  /// The embeddings of the rows' placeholders, row after row: [Σ N, H], differentiable; undefined
  /// when there are none or nothing fills them. `thoughts` [Σ N, A] are the assistant's states,
  /// read by the projection alone; without latents all rows have the same N. Collective over tp
  /// with latents, else local.
  at::Tensor soft(const SoftPromptModel& model, const std::vector<SoftRow>& rows,
                  const at::Tensor& thoughts) const;
};

}  // namespace softcot
