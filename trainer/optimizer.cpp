#include "trainer/optimizer.h"

#include <cmath>
#include <utility>

namespace softcot {

AdamW::AdamW(std::vector<Parameter> parameters, OptimizerOptions options)
    : parameters_(std::move(parameters)), options_(options), steps_(at::zeros({}, at::kFloat)) {
  for (const auto& parameter : parameters_) {
    values_.push_back(parameter.value.detach());
    averages_.push_back(at::zeros_like(values_.back()));
    squares_.push_back(at::zeros_like(values_.back()));
  }
}

void AdamW::step(double learning_rate) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const auto& parameter : parameters_) gradients.push_back(parameter.value.grad());
  steps_.add_(1);
  const std::vector<at::Tensor> steps(values_.size(), steps_);
  at::_fused_adamw_(values_, gradients, averages_, squares_, {}, steps, learning_rate,
                    options_.beta1, options_.beta2, options_.weight_decay, options_.epsilon,
                    /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::zero_gradients() {
  for (auto& parameter : parameters_) parameter.value.mutable_grad() = at::Tensor();
}

double AdamW::clip_gradients() {
  double squared = 0;
  for (const auto& parameter : parameters_) {
    squared += parameter.value.grad().to(at::kDouble).square().sum().item<double>();
  }
  const double norm = std::sqrt(squared);
  if (options_.clip > 0 && norm > options_.clip) {
    for (auto& parameter : parameters_) {
      parameter.value.mutable_grad().mul_(options_.clip / (norm + 1e-6));
    }
  }
  return norm;
}

std::vector<Parameter> AdamW::state() const {
  std::vector<Parameter> state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    state.push_back({parameters_[i].name, values_[i]});
    state.push_back({parameters_[i].name + ".exp_avg", averages_[i]});
    state.push_back({parameters_[i].name + ".exp_avg_sq", squares_[i]});
  }
  state.push_back({"adamw.steps", steps_.view({1})});
  return state;
}

}  // namespace softcot
