#include "runtime/to_device.h"

#include <ATen/Functions.h>

namespace softcot {

at::Tensor to_device(const at::Tensor& tensor, at::Device device) {
  if (!device.is_cuda() || !tensor.is_cpu()) return tensor.to(device);
  return tensor.pin_memory().to(device, tensor.scalar_type(), /*non_blocking=*/true);
}

at::Tensor to_device(const std::vector<std::int64_t>& numbers, at::Device device) {
  return to_device(at::tensor(numbers, at::kLong), device);
}

}  // namespace softcot
