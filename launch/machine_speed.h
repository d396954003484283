#pragma once

#include <ATen/core/Tensor.h>

namespace softcot {

/// What this process's threads reach right now, to hold other figures against.
struct MachineSpeed {
  double gemm_flops = 0;  ///< Multiply-adds count as two; a 2048³ product, best of several.
  double memory_bytes =
      0;  ///< Bytes a second read from memory by a sum over 256 MB, best of several.
};

/// Takes about a second. `dtype` is the precision in which products are made.
MachineSpeed measure_machine_speed(at::ScalarType dtype);

}  // namespace softcot
