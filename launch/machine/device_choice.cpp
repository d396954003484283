#include "launch/machine/device_choice.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <sstream>

#include "runtime/error.h"
#include "runtime/gpus.h"

namespace softcot {
namespace {

std::string as_lines(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

at::Device choose_device(const ProcessWorld& world, DeviceChoice choice) {
  const bool built = c10::impl::hasDeviceGuardImpl(at::kCUDA);
  if (choice == DeviceChoice::kCpu || (choice == DeviceChoice::kAuto && !built)) return at::kCPU;
  const std::vector<std::string> mine = visible_gpus();
  const auto fewest =
      reduce_scalar(*world.world_group(), static_cast<std::int64_t>(mine.size()), ReduceOp::kMin);
  if (fewest == 0 && choice == DeviceChoice::kAuto) return at::kCPU;
  if (fewest == 0) {
    fail(ExitCode::kResources,
         {.what = "no GPU",
          .where = fmt::format("rank {}", world.rank()),
          .expected = "one for each rank",
          .got = mine.empty() ? "none" : fmt::format("{} here, none for some rank", mine.size()),
          .fix = "ask the batch system for GPUs, or give --parallel.device cpu"});
  }
  std::vector<std::vector<std::string>> visible;
  for (const std::string& text : world.gather_on_node(as_lines(mine))) {
    visible.push_back(lines_of(text));
  }
  const std::optional<int> gpu = gpu_for_rank(visible, world.local_rank());
  // All ranks refuse together: one that has its GPU may have something else to complain of.
  const auto all_have_one =
      reduce_scalar(*world.world_group(), static_cast<std::int64_t>(gpu ? 1 : 0), ReduceOp::kMin);
  if (all_have_one == 0) {
    fail(ExitCode::kResources,
         {.what = "more ranks than GPUs on a machine",
          .where =
              fmt::format("rank {}, number {} on its machine", world.rank(), world.local_rank()),
          .expected = fmt::format("at least {} GPUs, one for each rank", world.local_size()),
          .got = fmt::format("{} that this rank sees, {}", mine.size(),
                             gpu ? "and none left for another rank" : "all taken"),
          .fix = "start fewer ranks on each machine, or give --parallel.device cpu"});
  }
  if (!built) {
    fail(ExitCode::kUsage, {.what = "this build of softcot computes on CPUs only",
                            .where = "parallel.device",
                            .got = "cuda",
                            .fix = "build with the preset cuda, or give --parallel.device cpu"});
  }
  const at::Device device(at::kCUDA, static_cast<at::DeviceIndex>(*gpu));
  c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(device);
  return device;
}

}  // namespace softcot
