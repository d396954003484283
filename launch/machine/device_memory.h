#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace softcot {

/// Most bytes of the device's memory since the program began: in tensors, and as LibTorch has taken
/// them, with the gaps between tensors and what it keeps for later. Not for the host.
struct PeakDeviceMemory {
  std::int64_t tensors;
  std::int64_t taken;
};
PeakDeviceMemory peak_device_memory(at::Device device);

}  // namespace softcot
