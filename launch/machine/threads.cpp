#include "launch/machine/threads.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "launch/machine/device_choice.h"
#include "runtime/counted.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/nccl_library.h"
#include "runtime/processors.h"

namespace softcot {
namespace {

void require_same_options(Communicator& world, const std::map<std::string, std::string>& values) {
  require_same(world, SOFTCOT_VERSION, "the version of softcot");
  require_same(world, hash_file("/proc/self/exe"), "the program's file");
  Hasher all;
  for (const auto& [name, value] : values) {
    for (const auto* text : {&name, &value}) {
      all.add(static_cast<std::uint64_t>(text->size()));
      all.add(*text);
    }
  }
  const std::string hash = all.hex();
  const auto differs = static_cast<std::int64_t>(hash != broadcast_bytes(world, hash, 0));
  if (reduce_scalar(world, differs, ReduceOp::kMax) == 0) return;
  for (const auto& [name, value] : values) require_same(world, value, name);
}

/// Where the ranks' flight records go: the command's own choice, else into its run folder.
std::filesystem::path flight_folder(const Invocation& invocation, const ParallelOptions& parallel) {
  const auto run = invocation.values().find("run.folder");
  if (!parallel.flight_records.empty() || run == invocation.values().end() || run->second.empty()) {
    return parallel.flight_records;
  }
  return std::filesystem::path(run->second) / "flight";
}

}  // namespace

void set_threads(const ProcessWorld& world) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  at::set_num_threads(std::max(1, usable_processors() / world.local_size()));
}

ProcessGroups start_groups(Invocation& invocation, RunOptions& run) {
  const ParallelOptions& parallel = run.parallel;
  ProcessWorld& world = invocation.world();
  set_threads(world);
  world.set_timeout(
      std::chrono::milliseconds(static_cast<std::int64_t>(parallel.timeout_seconds * 1000)));
  require_same_options(*world.world_group(), invocation.values());
  world.set_device(choose_device(world, parallel.device));
  run.model.load.device = run.assistant.load.device = world.device();
  const bool nccl = parallel.transport == Transport::kAuto ? world.device().is_cuda()
                                                           : parallel.transport == Transport::kNccl;
  if (!nccl && world.device().is_cuda() && world.size() > 1) {
    fail(ExitCode::kUsage, {.what = "MPI moves host memory only",
                            .where = "parallel.transport",
                            .expected = "auto or nccl for ranks that compute on GPUs",
                            .got = "mpi"});
  }
  if (nccl) world.use_nccl(flight_folder(invocation, parallel));
  auto groups = ProcessGroups::make(world, parallel.tp);
  log_info("{}: {}, {} each{}{}", counted(world.size(), "rank"), groups.mesh.describe(),
           counted(at::get_num_threads(), "thread"), world.device().is_cuda() ? ", a GPU each" : "",
           nccl ? ", NCCL " + NcclLibrary::get().version() : "");
  return groups;
}

}  // namespace softcot
