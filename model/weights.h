#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "model/model_config.h"
#include "model/shard_plan.h"
#include "runtime/safetensors_folder.h"

namespace softcot {

/// Reads one rank's slices of a model's weights. The files are mapped and only the slices' pages
/// are touched; each weight is copied once, into `dtype`. On the host all of them lie in one block
/// of memory, one after another as they were read, which lives as long as any of them.
class WeightReader {
 public:
  /// Throws kInput unless the folder holds every weight of the config's rules, in its full shape.
  WeightReader(const std::filesystem::path& folder, const ModelConfig& config,
               const ShardPlan& plan, at::ScalarType dtype, at::Device device);

  /// This rank's slice of the weight `name` ({} stands for `layer`): [rows] or [rows, columns].
  at::Tensor read(const std::string& name, std::int64_t layer = 0);
  /// The same for norms and biases: in float32 on the host, on a device in the dtype of the
  /// activations.
  at::Tensor read_vector(const std::string& name, std::int64_t layer = 0);
  /// Slices of several weights with the same columns, one below the other.
  at::Tensor read_stacked(const std::vector<std::string>& names, std::int64_t layer);
  at::Tensor read_stacked_vectors(const std::vector<std::string>& names, std::int64_t layer);

 private:
  void require_complete() const;
  at::Tensor slice(const std::string& name, std::int64_t layer) const;
  at::Tensor read_as(at::ScalarType dtype, const std::vector<std::string>& names,
                     std::int64_t layer);
  /// Memory for the next weight.
  at::Tensor place(at::IntArrayRef shape, at::ScalarType dtype);
  const WeightRule& rule(const std::string& name) const;

  SafetensorsFolder files_;
  const ModelConfig& config_;
  const ShardPlan& plan_;
  std::vector<WeightRule> rules_;
  at::ScalarType dtype_;
  at::Device device_;
  at::Tensor block_;       // bytes, for all weights; made for the first
  std::int64_t used_ = 0;  // of them
};

/// LibTorch's name of the type of the weight at `where`. Throws kInput unless it is a
/// floating-point one.
at::ScalarType scalar_type(DType dtype, const std::string& where);

/// "model.layers.{}.mlp.up_proj.weight" with 3 → "model.layers.3.mlp.up_proj.weight".
std::string weight_name(const std::string& pattern, std::int64_t layer);

}  // namespace softcot
