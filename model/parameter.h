#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/shard_plan.h"

namespace softcot {

/// What the tp ranks of a replica hold of a trained tensor, and of its gradient after a backward
/// pass.
enum class TpGradient {
  kWhole,  ///< The same values, and all of their gradient.
  kShare,  ///< The same values; the sum of the ranks' gradients is that of the replica.
  kOwn,    ///< Each rank its slice of the tensor, and all of that slice's gradient.
};

/// A trained tensor under the name it has in checkpoints.
struct Parameter {
  std::string name;
  at::Tensor value;  ///< float32 autograd leaf, contiguous.
  TpGradient tp = TpGradient::kWhole;
  // Where `value` lies in the whole tensor, of kOwn alone.
  int dim = 0;            ///< The dimension that is cut.
  Slice part = {};        ///< This rank's part of it.
  std::int64_t full = 0;  ///< Its size in the whole tensor.
};

}  // namespace softcot
