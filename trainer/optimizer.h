#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/parameter.h"

namespace softcot {

struct OptimizerOptions {
  double learning_rate = 2e-5;  ///< Peak of the schedule.
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;  ///< Decoupled: weight -= lr · decay · weight.
  double clip = 1.0;          ///< Largest gradient norm over all parameters; 0 never clips.
};

/// AdamW (Loshchilov & Hutter, 2019) with float32 state, through LibTorch's fused kernel. Local:
/// ranks that pass equal gradients stay equal.
class AdamW {
 public:
  AdamW(std::vector<Parameter> parameters, OptimizerOptions options);

  /// Moves every parameter by its gradient at this learning rate.
  void step(double learning_rate);
  void zero_gradients();

  /// Norm over all gradients, before any scaling; gradients are scaled to options.clip where they
  /// exceed it.
  double clip_gradients();

  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// Parameters and moments under the names NAME, NAME.exp_avg, NAME.exp_avg_sq, and "adamw.steps"
  /// [1]: the tensors themselves, so that copying into them restores a checkpoint.
  std::vector<Parameter> state() const;

 private:
  std::vector<Parameter> parameters_;
  OptimizerOptions options_;
  std::vector<at::Tensor> values_, averages_, squares_;
  at::Tensor steps_;
};

}  // namespace softcot
