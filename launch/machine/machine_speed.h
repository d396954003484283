#pragma once

#include <ATen/core/Tensor.h>

namespace softcot {

/// What this process's threads, or its GPU, reach right now, to hold other figures against.
struct MachineSpeed {
  /// Multiply-adds count as two; a 2048³ product, on a GPU 8192³, best of several.
  double gemm_flops = 0;
  /// Bytes a second read from memory by a sum over 256 MB, on a GPU 4 GB, best of several.
  double memory_bytes = 0;
};

/// Takes about a second. `dtype` is the precision in which products are made.
MachineSpeed measure_machine_speed(at::ScalarType dtype, at::Device device);

}  // namespace softcot
