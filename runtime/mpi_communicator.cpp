#include "runtime/mpi_communicator.h"

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>

#include <algorithm>

#include "runtime/error.h"
#include "runtime/mpi_roll_call.h"

namespace softcot {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a rank that has given up listens who else has.
constexpr std::chrono::milliseconds kPatience{2000};

void check(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(status, text, &length);
  fail(ExitCode::kPeer, {.what = fmt::format("{} failed", call), .got = std::string(text, length)});
}

MPI_Datatype mpi_type(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kLong:
      return MPI_INT64_T;
    case at::kByte:
      return MPI_UINT8_T;
    default:
      fail(ExitCode::kInternal,
           {.what = "no MPI type for a tensor's dtype", .got = toString(tensor.scalar_type())});
  }
}

MPI_Op mpi_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
      return MPI_SUM;
    case ReduceOp::kMax:
      return MPI_MAX;
    case ReduceOp::kMin:
      return MPI_MIN;
  }
  fail(ExitCode::kInternal, {.what = "unknown reduction"});
}

void require_host(const at::Tensor& tensor) {
  if (!tensor.is_cpu() || !tensor.is_contiguous()) {
    fail(ExitCode::kInternal,
         {.what = "MPI collective on a tensor that is not contiguous on the host"});
  }
}

}  // namespace

struct MpiCommunicator::Impl {
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0;
  int size = 1;
  std::chrono::milliseconds timeout{};
  std::int64_t chunk = 0;
  std::uint64_t sequence = 0;
  std::vector<int> world_ranks;

  /// Waits for `request` of the collective `name`, or throws kPeer at the deadline.
  void wait(MPI_Request request, const char* name) {
    ++sequence;
    const auto deadline = Clock::now() + timeout;
    for (std::uint64_t polls = 0;; ++polls) {
      int done = 0;
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), name);
      if (done != 0) return;
      if (polls < 256) continue;
      sched_yield();
      if (polls % 64 == 0 && Clock::now() > deadline) {
        const std::string missing =
            missing_ranks(comm, world_ranks, rank, sequence, std::min(timeout, kPatience));
        fail(ExitCode::kPeer, {.what = fmt::format("{} number {} timed out", name, sequence),
                               .where = fmt::format("rank {} of a group of {}", rank, size),
                               .expected = fmt::format("all ranks to join within {} s",
                                                       static_cast<double>(timeout.count()) / 1000),
                               .got = missing.empty() ? "" : "missing: " + missing,
                               .fix = "look for the rank that stopped or failed first; "
                                      "--parallel.timeout-seconds sets the limit"});
      }
    }
  }

  /// Calls `start(pointer, count, request)` over pieces of at most `chunk` elements, in order.
  template <typename Start>
  void in_chunks(at::Tensor& tensor, const char* name, Start start) {
    auto* bytes = static_cast<char*>(tensor.data_ptr());
    for (std::int64_t at = 0; at < tensor.numel(); at += chunk) {
      const auto count = static_cast<int>(std::min(chunk, tensor.numel() - at));
      MPI_Request request = MPI_REQUEST_NULL;
      check(start(bytes + at * tensor.element_size(), count, &request), name);
      wait(request, name);
    }
  }
};

MpiCommunicator::MpiCommunicator(const std::vector<int>& ranks, std::chrono::milliseconds timeout,
                                 std::int64_t chunk)
    : impl_(std::make_unique<Impl>()) {
  MPI_Group world = MPI_GROUP_NULL;
  MPI_Group group = MPI_GROUP_NULL;
  check(MPI_Comm_group(MPI_COMM_WORLD, &world), "MPI_Comm_group");
  check(MPI_Group_incl(world, static_cast<int>(ranks.size()), ranks.data(), &group),
        "MPI_Group_incl");
  check(MPI_Comm_create_group(MPI_COMM_WORLD, group, 0, &impl_->comm), "MPI_Comm_create_group");
  MPI_Group_free(&group);
  MPI_Group_free(&world);
  MPI_Comm_rank(impl_->comm, &impl_->rank);
  MPI_Comm_size(impl_->comm, &impl_->size);
  MPI_Comm_set_errhandler(impl_->comm, MPI_ERRORS_RETURN);
  impl_->timeout = timeout;
  impl_->world_ranks = ranks;
  impl_->chunk = chunk;
}

MpiCommunicator::~MpiCommunicator() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized == 0 && impl_->comm != MPI_COMM_NULL) MPI_Comm_free(&impl_->comm);
}

int MpiCommunicator::rank() const { return impl_->rank; }
int MpiCommunicator::size() const { return impl_->size; }

void MpiCommunicator::all_reduce(at::Tensor& tensor, ReduceOp op) {
  require_host(tensor);
  if (tensor.scalar_type() == at::kBFloat16) {
    auto wide = tensor.to(at::kFloat);
    all_reduce(wide, op);
    tensor.copy_(wide);
    return;
  }
  const MPI_Datatype type = mpi_type(tensor);
  impl_->in_chunks(tensor, "all_reduce", [&](void* data, int count, MPI_Request* request) {
    return MPI_Iallreduce(MPI_IN_PLACE, data, count, type, mpi_op(op), impl_->comm, request);
  });
}

at::Tensor MpiCommunicator::all_gather(const at::Tensor& tensor) {
  require_host(tensor);
  auto shape = tensor.sizes().vec();
  shape.at(0) *= impl_->size;
  auto gathered = at::zeros(shape, tensor.options());
  // Each rank writes its own slice and takes part in one broadcast for each: chunked like the
  // others, and a group is a handful of ranks.
  const auto parts = gathered.chunk(impl_->size, 0);
  for (int root = 0; root < impl_->size; ++root) {
    at::Tensor part = parts[root];
    if (root == impl_->rank) part.copy_(tensor);
    broadcast(part, root);
  }
  return gathered;
}

at::Tensor MpiCommunicator::reduce_scatter(const at::Tensor& tensor) {
  require_host(tensor);
  auto sum = tensor.clone();
  all_reduce(sum, ReduceOp::kSum);
  return sum.chunk(impl_->size, 0)[impl_->rank].clone();
}

void MpiCommunicator::broadcast(at::Tensor& tensor, int root) {
  require_host(tensor);
  at::Tensor bytes = tensor.scalar_type() == at::kBFloat16 ? tensor.view(at::kShort) : tensor;
  const MPI_Datatype type = bytes.scalar_type() == at::kShort ? MPI_INT16_T : mpi_type(bytes);
  impl_->in_chunks(bytes, "broadcast", [&](void* data, int count, MPI_Request* request) {
    return MPI_Ibcast(data, count, type, root, impl_->comm, request);
  });
}

void MpiCommunicator::barrier() {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibarrier(impl_->comm, &request), "barrier");
  impl_->wait(request, "barrier");
}

}  // namespace softcot
