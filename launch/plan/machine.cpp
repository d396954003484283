#include "launch/plan/machine.h"

namespace softcot {

Machine default_machine(Machine::Device device, std::int64_t weight_bytes) {
  Machine machine;
  machine.device = device;
  if (device == Machine::Device::kGpu) {
    // Dense products on tensor cores; LibTorch multiplies float32 without them.
    machine.peak_flops = weight_bytes == 2 ? 989e12 : 67e12;
    machine.efficiency = weight_bytes == 2 ? 0.4 : 0.7;
    return machine;
  }
  machine.memory = 24e9;
  machine.peak_flops = 130e9;
  machine.efficiency = 0.7;
  machine.memory_bandwidth = 30e9;
  machine.node_bandwidth = 2e9;
  machine.network_bandwidth = 1e9;
  machine.node_latency = 20e-6;
  machine.network_latency = 50e-6;
  return machine;
}

}  // namespace softcot
