#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace softcot {

/// Most bytes that LibTorch has taken of the device's memory for tensors since the program began,
/// its reserves for later included. Not for the host.
std::int64_t peak_device_bytes(at::Device device);

}  // namespace softcot
