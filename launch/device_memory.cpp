#include "launch/device_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

namespace softcot {

std::int64_t peak_device_bytes(at::Device device) {
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  return stats.reserved_bytes[0].peak;  // Of all kinds of memory.
}

}  // namespace softcot
