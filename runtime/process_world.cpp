#include "runtime/process_world.h"

#include <fmt/format.h>
#include <mpi.h>

#include <cstdlib>
#include <numeric>
#include <utility>

#include "runtime/error.h"
#include "runtime/mpi_communicator.h"

namespace softcot {
namespace {

int environment_int(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

/// Open MPI's own launcher, or a PMIx server such as srun's, has started this process.
bool launched_by_mpi() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr ||
         std::getenv("PMI_RANK") != nullptr;
}

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
    const int tasks = environment_int("SLURM_STEP_NUM_TASKS", 1);
    if (std::getenv("SLURM_STEP_ID") != nullptr && tasks > 1) {
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
      timeout_(other.timeout_) {}

ProcessWorld::~ProcessWorld() {
  if (uses_mpi_) MPI_Finalize();
}

std::unique_ptr<Communicator> ProcessWorld::group(const std::vector<int>& ranks) const {
  if (ranks.size() == 1) return std::make_unique<SingleCommunicator>();
  return std::make_unique<MpiCommunicator>(ranks, timeout_);
}

std::unique_ptr<Communicator> ProcessWorld::world_group() const {
  std::vector<int> ranks(size_);
  std::iota(ranks.begin(), ranks.end(), 0);
  return group(ranks);
}

void ProcessWorld::abort(int status) {
  if (uses_mpi_) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

ProcessGroups ProcessGroups::make(const ProcessWorld& world, int tp) {
  const Mesh mesh = Mesh::make(world.size(), tp);
  return {.mesh = mesh,
          .world = world.world_group(),
          .dp = world.group(mesh.dp_group(world.rank())),
          .tp = world.group(mesh.tp_group(world.rank())),
          .dp_index = mesh.dp_index(world.rank()),
          .tp_index = mesh.tp_index(world.rank())};
}

}  // namespace softcot
