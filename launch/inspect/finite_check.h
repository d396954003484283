#pragma once

#include <cstdint>

#include "runtime/host_tensor.h"

namespace softcot {

/// How many elements of a float64, float32, float16 or bfloat16 tensor are NaN or infinite; 0 for
/// tensors of other types. Reads every byte.
std::uint64_t count_not_finite(const TensorView& tensor);

}  // namespace softcot
