#include "runtime/work_queue.h"

#include <mpi.h>

#include <exception>

#include "runtime/error.h"

namespace softcot {

/// One counter, in the memory of rank 0; the other ranks add to it without rank 0's doing.
struct WorkQueue::Impl {
  bool shared = false;
  std::int64_t alone = 0;
  std::int64_t* counter = nullptr;
  MPI_Win window = MPI_WIN_NULL;
  int exceptions = std::uncaught_exceptions();
};

WorkQueue::WorkQueue(const ProcessWorld& world) : impl_(std::make_unique<Impl>()) {
  impl_->shared = world.size() > 1;
  if (!impl_->shared) return;
  const MPI_Aint bytes = world.rank() == 0 ? sizeof(std::int64_t) : 0;
  if (MPI_Win_allocate(bytes, sizeof(std::int64_t), MPI_INFO_NULL, MPI_COMM_WORLD,
                       static_cast<void*>(&impl_->counter), &impl_->window) != MPI_SUCCESS) {
    fail(
        ExitCode::kResources,
        {.what = "MPI has no one-sided communication between these nodes",
         .fix = "let it choose its own (unset OMPI_MCA_osc, or set it to pt2pt), or use one node"});
  }
  MPI_Win_lock_all(0, impl_->window);
  if (world.rank() == 0) *impl_->counter = 0;
  MPI_Win_sync(impl_->window);
  MPI_Barrier(MPI_COMM_WORLD);
}

WorkQueue::~WorkQueue() {
  if (!impl_->shared || std::uncaught_exceptions() > impl_->exceptions) return;
  MPI_Win_unlock_all(impl_->window);
  MPI_Win_free(&impl_->window);
}

std::int64_t WorkQueue::next() {
  if (!impl_->shared) return impl_->alone++;
  const std::int64_t one = 1;
  std::int64_t taken = 0;
  MPI_Fetch_and_op(&one, &taken, MPI_INT64_T, 0, 0, MPI_SUM, impl_->window);
  MPI_Win_flush(0, impl_->window);
  return taken;
}

}  // namespace softcot
