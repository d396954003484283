#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace softcot {

/// A trained tensor under the name it has in checkpoints, the same on every rank.
struct Parameter {
  std::string name;
  at::Tensor value;  ///< float32 autograd leaf.
  /// After a backward pass a tp rank holds the replica's whole gradient, or only a share that the
  /// tp ranks' sum completes.
  bool gradient_is_share = false;
};

}  // namespace softcot
