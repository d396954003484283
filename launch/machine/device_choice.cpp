#include "launch/machine/device_choice.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "runtime/current_device.h"
#include "runtime/error.h"
#include "runtime/host_name.h"
#include "runtime/log.h"

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

/// The text of each rank. Collective over the group.
std::vector<std::string> gather(Communicator& group, const std::string& text) {
  std::vector<std::string> texts;
  for (int rank = 0; rank < group.size(); ++rank) {
    texts.push_back(broadcast_bytes(group, text, rank));
  }
  return texts;
}

/// The ranks that gave a host: "rank 3 on node1, ranks 4, 5 on node2".
std::string ranks_of(const std::vector<std::string>& hosts) {
  std::map<std::string, std::vector<std::string>> ranks;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank) {
    if (!hosts[rank].empty()) ranks[hosts[rank]].push_back(std::to_string(rank));
  }
  std::string text;
  for (const auto& [host, numbers] : ranks) {
    text += fmt::format("{}rank{} {} on {}", text.empty() ? "" : ", ",
                        numbers.size() == 1 ? "" : "s", fmt::join(numbers, ", "), host);
  }
  return text;
}

/// Throws kResources on all ranks when the driver of one reports an error.
void require_drivers(Communicator& group, const VisibleGpus& mine) {
  const std::int64_t failed = mine.problem.empty() ? 0 : 1;
  if (reduce_scalar(group, failed, ReduceOp::kMax) == 0) return;
  const auto hosts = gather(group, failed == 0 ? "" : host_name());
  const auto first = std::find_if(hosts.begin(), hosts.end(),
                                  [](const std::string& host) { return !host.empty(); });
  const auto rank = static_cast<int>(first - hosts.begin());
  const VisibleGpus theirs{.problem = broadcast_bytes(group, mine.problem, rank),
                           .fix = broadcast_bytes(group, mine.fix, rank)};
  fail(ExitCode::kResources, driver_problem(theirs, ranks_of(hosts)));
}

}  // namespace

bool looks_for_gpus(DeviceChoice choice) {
  return choice == DeviceChoice::kCuda ||
         (choice == DeviceChoice::kAuto && c10::impl::hasDeviceGuardImpl(at::kCUDA));
}

Problem driver_problem(const VisibleGpus& gpus, const std::string& where) {
  return {.what = "NVIDIA's driver shows no GPU",
          .where = where,
          .got = gpus.problem,
          .fix = gpus.fix + ", or give --parallel.device cpu"};
}

at::Device choose_device(const ProcessWorld& world, DeviceChoice choice) {
  if (!looks_for_gpus(choice)) return at::kCPU;
  const auto group = world.world_group();
  const VisibleGpus found = visible_gpus();
  require_drivers(*group, found);
  std::vector<std::string> mine;
  for (const Gpu& gpu : found.gpus) mine.push_back(gpu.name);
  const auto count = static_cast<std::int64_t>(mine.size());
  const auto fewest = reduce_scalar(*group, count, ReduceOp::kMin);
  const auto most = reduce_scalar(*group, count, ReduceOp::kMax);
  if (most == 0 && choice == DeviceChoice::kAuto) {
    if (world.rank() == 0) {
      log_warning("computing on CPUs: this build uses GPUs, but no rank sees one");
    }
    return at::kCPU;
  }
  if (fewest == 0) {
    fail(ExitCode::kResources,
         {.what = most == 0 ? "no GPU" : "no GPU for some ranks",
          .where = ranks_of(gather(*group, mine.empty() ? host_name() : "")),
          .expected = "one for each rank",
          .got = "none",
          .fix = "ask the batch system for GPUs on every node, or give --parallel.device cpu"});
  }
  std::vector<std::vector<std::string>> visible;
  for (const std::string& text : world.gather_on_node(as_lines(mine))) {
    visible.push_back(lines_of(text));
  }
  const std::optional<int> gpu = gpu_for_rank(visible, world.local_rank());
  // All ranks refuse together: one that has its GPU may have something else to complain of.
  const auto all_have_one =
      reduce_scalar(*group, static_cast<std::int64_t>(gpu ? 1 : 0), ReduceOp::kMin);
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
  if (!c10::impl::hasDeviceGuardImpl(at::kCUDA)) {
    fail(ExitCode::kUsage, {.what = "this build of softcot computes on CPUs only",
                            .where = "parallel.device",
                            .got = "cuda",
                            .fix = "build with the preset cuda, or give --parallel.device cpu"});
  }
  const at::Device device(at::kCUDA, static_cast<at::DeviceIndex>(*gpu));
  set_current_device(device);
  return device;
}

}  // namespace softcot
