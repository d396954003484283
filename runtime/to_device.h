#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace softcot {

/// `tensor` on `device`. From the host to a GPU it goes through page-locked memory, and nobody
/// waits for it: neither for the copy, nor for what the device has to do before. Local.
at::Tensor to_device(const at::Tensor& tensor, at::Device device);

/// The same for numbers [n], as int64.
at::Tensor to_device(const std::vector<std::int64_t>& numbers, at::Device device);

}  // namespace softcot
