#include "launch/machine/device_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

namespace softcot {

PeakDeviceMemory peak_device_memory(at::Device device) {
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  constexpr int kOfAllPools = 0;
  return {.tensors = stats.allocated_bytes[kOfAllPools].peak,
          .taken = stats.reserved_bytes[kOfAllPools].peak};
}

}  // namespace softcot
