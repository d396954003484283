#include "model/trained_parts.h"

#include <ATen/TensorOperators.h>

#include "model/latent_thoughts.h"

namespace softcot {

std::vector<Parameter> TrainedParts::parameters() const {
  std::vector<Parameter> all;
  if (projection) {
    all.push_back({.name = "projection.weight", .value = projection->weight()});
    all.push_back({.name = "projection.bias", .value = projection->bias()});
  }
  if (task) all.push_back({.name = "task.vectors", .value = task->vectors()});
  if (lora) {
    for (const auto& [name, tensor] : lora->tensors()) {
      all.push_back({.name = "lora." + name, .value = tensor, .tp = TpGradient::kShare});
    }
  }
  for (const auto& weight : weights) {
    all.push_back(weight);
    all.back().name = "backbone." + weight.name;
  }
  return all;
}

void TrainedParts::to(at::Device device) {
  if (projection) {
    projection = Projection(projection->weight().to(device), projection->bias().to(device));
  }
  if (task) task = TaskVectors(task->vectors().to(device));
  if (lora) lora->to(device);
}

std::int64_t TrainedParts::parameter_count() const {
  std::int64_t total = 0;
  for (const auto& parameter : parameters()) {
    const std::int64_t local = parameter.value.numel();
    total +=
        parameter.tp == TpGradient::kOwn ? local / parameter.part.size() * parameter.full : local;
  }
  return total;
}

at::Tensor TrainedParts::soft(const SoftPromptModel& model, const std::vector<SoftRow>& rows,
                              const at::Tensor& thoughts) const {
  std::int64_t total = 0;
  for (const auto& row : rows) total += row.thought_count;
  if (total == 0) return {};
  if (filling == Filling::kLatent) return latent_thoughts(model, rows);
  if (filling == Filling::kPause) return task->repeat(total, 1);
  if (!projection && !task) return {};
  if (!task) return projection->forward(thoughts);
  const auto shared =
      task->repeat(static_cast<std::int64_t>(rows.size()), rows.front().thought_count);
  return projection ? projection->forward(thoughts) + shared : shared;
}

}  // namespace softcot
