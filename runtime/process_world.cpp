#include "runtime/process_world.h"

#include <fmt/format.h>
#include <mpi.h>

#include <cstdlib>
#include <numeric>
#include <thread>
#include <utility>

#include "runtime/current_device.h"
#include "runtime/error.h"
#include "runtime/launcher.h"
#include "runtime/mpi_communicator.h"
#include "runtime/nccl_communicator.h"

namespace softcot {
namespace {

std::vector<int> all_of(int size) {
  std::vector<int> ranks(size);
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// srun throws away what it has not received when it hears that a rank was killed, and a line may
/// be 40 ms on its way: it waits for TCP's acknowledgement of the line before.
constexpr std::chrono::seconds kSrunReads{1};

/// Open MPI 4 prefers a kind of one-sided communication that then refuses nodes joined by TCP
/// alone.
void prefer_working_windows() {
#if defined(OMPI_MAJOR_VERSION) && OMPI_MAJOR_VERSION < 5
  setenv("OMPI_MCA_osc", "^rdma", /*overwrite=*/0);
#endif
}

}  // namespace

ProcessWorld ProcessWorld::start(int& argc, char**& argv) {
  ProcessWorld world;
  if (!launched_by_mpi()) {
    const int tasks = srun_tasks();
    if (tasks > 1) {
      fail(ExitCode::kUsage, {.what = "srun started several tasks without MPI",
                              .got = fmt::format("{} tasks, no PMIx", tasks),
                              .fix = "use srun --mpi=pmix, or mpirun inside the allocation"});
    }
    return world;
  }
  prefer_working_windows();
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &world.rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &world.size_);
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, world.rank_, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &world.local_rank_);
  MPI_Comm_size(node, &world.local_size_);
  MPI_Comm_free(&node);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  world.uses_mpi_ = true;
  return world;
}

ProcessWorld::ProcessWorld(ProcessWorld&& other) noexcept
    : rank_(other.rank_),
      size_(other.size_),
      local_rank_(other.local_rank_),
      local_size_(other.local_size_),
      uses_mpi_(std::exchange(other.uses_mpi_, false)),
      timeout_(other.timeout_),
      device_(other.device_),
      nccl_(std::move(other.nccl_)) {}

ProcessWorld::~ProcessWorld() {
  if (uses_mpi_) MPI_Finalize();
}

std::unique_ptr<Communicator> ProcessWorld::group(const std::vector<int>& ranks) const {
  if (ranks.size() == 1) return std::make_unique<SingleCommunicator>();
  return std::make_unique<MpiCommunicator>(ranks, timeout_);
}

std::unique_ptr<Communicator> ProcessWorld::world_group() const { return group(all_of(size_)); }

void ProcessWorld::use_nccl(const std::filesystem::path& flight_records) {
  if (size_ == 1) return;  // There is nobody to talk to.
  const NcclLibrary& library = NcclLibrary::get();
  if (device_.is_cpu() && !library.on_host_memory()) {
    fail(ExitCode::kUsage, {.what = "NCCL moves the memory of GPUs only",
                            .where = library.path(),
                            .got = "ranks that compute on CPUs",
                            .fix = "--parallel.transport mpi, or --parallel.device cuda"});
  }
  nccl_ = std::make_shared<NcclWatchdog>(
      library,
      NcclWatchdog::Options{.rank = rank_,
                            .timeout = timeout_,
                            .flight_records = flight_records,
                            .enter_thread = [device = device_] { set_current_device(device); }});
}

std::unique_ptr<Communicator> ProcessWorld::device_group(const std::string& name,
                                                         const std::vector<int>& ranks) const {
  auto host = group(ranks);
  if (!nccl_ || ranks.size() == 1) return host;
  return std::make_unique<NcclCommunicator>(name, std::move(host), ranks, device_, nccl_);
}

std::vector<std::string> ProcessWorld::gather_on_node(const std::string& text) const {
  if (!uses_mpi_) return {text};
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node);
  std::vector<std::string> texts(local_size_);
  for (int root = 0; root < local_size_; ++root) {
    std::string& each = texts[root];
    if (root == local_rank_) each = text;
    auto length = static_cast<int>(each.size());
    MPI_Bcast(&length, 1, MPI_INT, root, node);
    each.resize(length);
    MPI_Bcast(each.data(), length, MPI_CHAR, root, node);
  }
  MPI_Comm_free(&node);
  return texts;
}

void ProcessWorld::abort(int status) const {
  if (uses_mpi_ && !launched_by_mpirun()) std::this_thread::sleep_for(kSrunReads);
  if (uses_mpi_) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

ProcessGroups ProcessGroups::make(const ProcessWorld& world, int tp) {
  const Mesh mesh = Mesh::make(world.size(), tp);
  return {.mesh = mesh,
          .world = world.device_group("world", all_of(world.size())),
          .dp = world.device_group("dp", mesh.dp_group(world.rank())),
          .tp = world.device_group("tp", mesh.tp_group(world.rank())),
          .dp_index = mesh.dp_index(world.rank()),
          .tp_index = mesh.tp_index(world.rank())};
}

}  // namespace softcot
