#include "runtime/current_device.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace softcot {

void set_current_device(c10::Device device) {
  if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
}

}  // namespace softcot
