#include "model/trained_parts.h"

namespace softcot {

std::vector<Parameter> TrainedParts::parameters() const {
  std::vector<Parameter> all;
  if (projection) {
    all.push_back({"projection.weight", projection->weight()});
    all.push_back({"projection.bias", projection->bias()});
  }
  if (task) all.push_back({"task.vectors", task->vectors()});
  if (lora) {
    for (const auto& [name, tensor] : lora->tensors()) {
      all.push_back({"lora." + name, tensor, /*gradient_is_share=*/true});
    }
  }
  return all;
}

std::int64_t TrainedParts::parameter_count() const {
  std::int64_t total = 0;
  for (const auto& parameter : parameters()) total += parameter.value.numel();
  return total;
}

at::Tensor TrainedParts::soft(const at::Tensor& thoughts, std::int64_t rows, std::int64_t n) const {
  if (n == 0 || !fills_placeholders()) return {};
  if (!task) return projection->forward(thoughts);
  const auto shared = task->repeat(rows, n);
  return projection ? projection->forward(thoughts) + shared : shared;
}

}  // namespace softcot
