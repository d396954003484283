#include "support/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#include <string_view>

#include "runtime/current_device.h"
#include "runtime/gpus.h"
#include "support/world.h"

namespace softcot::test {

c10::Device test_device() {
  const char* chosen = std::getenv("SOFTCOT_TEST_DEVICE");
  if (chosen == nullptr || std::string_view(chosen) != "cuda") return c10::kCPU;
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(world().local_rank())};
}

std::string take_test_device() {
  if (test_device().is_cpu()) return {};
  if (!c10::impl::hasDeviceGuardImpl(c10::kCUDA)) return "a build without CUDA";
  const VisibleGpus found = visible_gpus();
  const auto ranks = static_cast<std::size_t>(world().local_size());
  if (found.gpus.size() < ranks) {
    return "needs a GPU for each of " + std::to_string(ranks) + " ranks, finds " +
           std::to_string(found.gpus.size()) + " " + found.problem;
  }
  set_current_device(test_device());
  return {};
}

}  // namespace softcot::test
