#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/parameter.h"
#include "runtime/communicator.h"

namespace softcot {

struct OptimizerOptions {
  double learning_rate = 2e-5;  ///< Peak of the schedule.
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;  ///< Decoupled: weight -= lr · decay · weight.
  double clip = 1.0;          ///< Largest gradient norm over all parameters; 0 never clips.
};

/// AdamW (Loshchilov & Hutter, 2019) through LibTorch's fused kernel. Its moments are sharded over
/// dp (ZeRO stage 1; Rajbhandari et al., 2020): each replica moves its even part of all elements,
/// and all gather the parts, so equal parameters stay equal to the bit.
class AdamW {
 public:
  /// The ranks of `tp` hold what Parameter::tp says, those of `dp` the same parameters. Both
  /// groups must outlive this object.
  AdamW(std::vector<Parameter> parameters, OptimizerOptions options, Communicator& dp,
        Communicator& tp);

  void zero_gradients();
  /// Sums the gradients over the ranks: shares over tp, then everything over dp. A parameter
  /// without a gradient gets zeros. Collective over dp × tp.
  void reduce_gradients();
  /// Norm over all gradients, before any scaling; gradients are scaled to options.clip where they
  /// exceed it. Collective over tp.
  double clip_gradients();
  /// Moves every parameter by its gradient at this learning rate. Collective over dp.
  void step(double learning_rate);
  /// Forgets moments and steps.
  void reset();

  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// Hands over the whole state, one tensor at a time, whole and float32: for each parameter NAME,
  /// NAME.exp_avg and NAME.exp_avg_sq, at last "adamw.steps" [1]. Collective over dp × tp.
  void save(const std::function<void(const std::string& name, const at::Tensor& whole)>& keep);
  /// Asks for the same tensors in the same order, to be filled with the same on every rank. Local
  /// but for what `fill` does.
  void load(const std::function<void(const std::string& name, at::Tensor& whole)>& fill);

 private:
  /// A parameter's elements [begin, end) that this replica moves; empty for most ranks and
  /// parameters.
  struct Shard {
    Slice elements;
    at::Tensor average, square;  // [elements]
  };

  at::Tensor whole(const Parameter& parameter, const at::Tensor& local) const;
  static at::Tensor local(const Parameter& parameter, const at::Tensor& whole);
  at::Tensor gathered(std::size_t index, const at::Tensor& shard) const;
  void gather_values();

  std::vector<Parameter> parameters_;
  OptimizerOptions options_;
  Communicator& dp_;
  Communicator& tp_;
  std::vector<Shard> shards_;  // one for each parameter
  at::Tensor steps_;
};

}  // namespace softcot
