#include "model/frozen_layers.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/host_gradient_pass.h"
#include "model/host_pass.h"
#include "runtime/error.h"

namespace softcot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What the backward pass needs beside the gradient.
struct Trip : torch::CustomClassHolder {
  Trip(const FrozenLayers& way, std::vector<PackedRow> packed, at::Tensor where)
      : through(way), rows(std::move(packed)), positions(std::move(where)) {}

  FrozenLayers through;
  std::vector<PackedRow> rows;
  at::Tensor positions;
  std::vector<LayerTrace> traces;
};

struct FrozenLayersFunction : torch::autograd::Function<FrozenLayersFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& inputs,
                            const c10::intrusive_ptr<Trip>& trip) {
    const auto& way = trip->through;
    HostPass pass(inputs, trip->rows, trip->positions, way.shape, way.rope, way.epsilon, way.tp);
    trip->traces = way.memory.take(way.layers, way.shape, inputs.size(0));
    for (std::size_t i = 0; i < way.layers.size(); ++i) {
      pass.run(way.layers[i], static_cast<std::int64_t>(i), &trip->traces[i]);
    }
    context->saved_data["trip"] = c10::IValue::make_capsule(trip);
    return pass.hidden();
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto trip =
        c10::static_intrusive_pointer_cast<Trip>(context->saved_data["trip"].toCapsule());
    const auto& way = trip->through;
    if (trip->traces.empty()) fail(ExitCode::kInternal, {.what = "layers gone back through twice"});
    HostGradientPass pass(gradients[0], trip->rows, trip->positions, way.shape, way.rope, way.tp);
    for (; !trip->traces.empty(); trip->traces.pop_back()) {
      const std::size_t index = trip->traces.size() - 1;
      pass.run(way.layers[index], static_cast<std::int64_t>(index), trip->traces.back());
    }
    return {pass.gradient(), at::Tensor()};
  }
};

}  // namespace

at::Tensor FrozenLayers::run(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
                             const at::Tensor& positions) const {
  if (at::GradMode::is_enabled() && inputs.requires_grad()) {
    return FrozenLayersFunction::apply(inputs, c10::make_intrusive<Trip>(*this, rows, positions));
  }
  HostPass pass(inputs, rows, positions, shape, rope, epsilon, tp);
  std::int64_t index = 0;
  for (const auto& layer : layers) pass.run(layer, index++);
  return pass.hidden();
}

}  // namespace softcot
