#include "runtime/nccl_communicator.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <cstring>

#include "runtime/error.h"

namespace softcot {
namespace {

nccl::DataType nccl_type(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return nccl::kFloat32;
    case at::kDouble:
      return nccl::kFloat64;
    case at::kBFloat16:
      return nccl::kBfloat16;
    case at::kLong:
      return nccl::kInt64;
    case at::kByte:
      return nccl::kUint8;
    default:
      fail(ExitCode::kInternal,
           {.what = "no NCCL type for a tensor's dtype", .got = toString(tensor.scalar_type())});
  }
}

nccl::RedOp nccl_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
      return nccl::kSum;
    case ReduceOp::kMax:
      return nccl::kMax;
    case ReduceOp::kMin:
      return nccl::kMin;
  }
  fail(ExitCode::kInternal, {.what = "unknown reduction"});
}

/// Made by the group's first rank.
nccl::UniqueId shared_id(Communicator& host, const NcclLibrary& library) {
  nccl::UniqueId id{};
  if (host.rank() == 0) {
    const nccl::Result result = library.call().GetUniqueId(&id);
    if (result != nccl::kSuccess) {
      fail(ExitCode::kResources, {.what = "NCCL cannot make an id for a group",
                                  .where = library.path(),
                                  .got = library.call().GetErrorString(result),
                                  .fix = "NCCL_DEBUG=WARN makes it say why"});
    }
  }
  const std::string bytes = broadcast_bytes(host, std::string(id.bytes, sizeof id.bytes), 0);
  std::memcpy(id.bytes, bytes.data(), sizeof id.bytes);
  return id;
}

/// Of numbers that a group of devices moves through the host: counts and flags, never gradients.
constexpr std::size_t kMaxHostBytes = 1 << 20;

std::size_t count(const at::Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

}  // namespace

NcclCommunicator::NcclCommunicator(std::string name, std::unique_ptr<Communicator> host,
                                   const std::vector<int>& ranks, at::Device device,
                                   std::shared_ptr<NcclWatchdog> watchdog)
    : host_(std::move(host)),
      device_(device),
      watchdog_(std::move(watchdog)),
      stream_(SideStream::on(device)),
      group_(
          &watchdog_->open(name, ranks, host_->rank(), shared_id(*host_, watchdog_->library()))) {}

NcclCommunicator::~NcclCommunicator() { watchdog_->close(*group_); }

/// Whether it is NCCL that moves this tensor. Throws when NCCL has failed, whatever moves it.
bool NcclCommunicator::moves(const at::Tensor& tensor) const {
  watchdog_->check();
  if (tensor.is_cpu() && !device_.is_cpu()) {
    if (tensor.scalar_type() != at::kByte && tensor.nbytes() > kMaxHostBytes) {
      fail(ExitCode::kInternal,
           {.what = "collective on a large host tensor in a group of devices",
            .expected = fmt::format("it on {}, or at most {} bytes", device_.str(), kMaxHostBytes),
            .got = fmt::format("{} bytes of {}", tensor.nbytes(), toString(tensor.scalar_type()))});
    }
    return false;
  }
  if (tensor.device() != device_) {
    fail(ExitCode::kInternal, {.what = "NCCL collective on a tensor of another device",
                               .expected = device_.str(),
                               .got = tensor.device().str()});
  }
  if (!tensor.is_contiguous()) {
    fail(ExitCode::kInternal, {.what = "NCCL collective on a tensor that is not contiguous"});
  }
  return true;
}

/// The tensor's memory is not given to another while the collective runs: that would be in the
/// current stream, which goes on after it.
void NcclCommunicator::run(const char* name, const at::Tensor& tensor, const Start& start) {
  if (tensor.numel() == 0) return;
  const FlightEntry call{.name = name,
                         .bytes = static_cast<std::uint64_t>(tensor.nbytes()),
                         .dtype = toString(tensor.scalar_type())};
  stream_->follow_current();
  watchdog_->run(
      *group_, call, [&](nccl::Comm comm) { return start(comm, stream_->handle()); },
      [&] { return stream_->lead_current(); });
}

void NcclCommunicator::all_reduce(at::Tensor& tensor, ReduceOp op) {
  if (!moves(tensor)) return host_->all_reduce(tensor, op);
  if (tensor.scalar_type() == at::kBFloat16) {
    auto wide = tensor.to(at::kFloat);
    all_reduce(wide, op);
    tensor.copy_(wide);
    return;
  }
  auto* data = tensor.mutable_data_ptr();
  run("all_reduce", tensor, [&](nccl::Comm comm, nccl::Stream stream) {
    return watchdog_->library().call().AllReduce(data, data, count(tensor), nccl_type(tensor),
                                                 nccl_op(op), comm, stream);
  });
}

at::Tensor NcclCommunicator::all_gather(const at::Tensor& tensor) {
  if (!moves(tensor)) return host_->all_gather(tensor);
  auto shape = tensor.sizes().vec();
  shape.at(0) *= size();
  auto gathered = at::empty(shape, tensor.options());
  run("all_gather", tensor, [&](nccl::Comm comm, nccl::Stream stream) {
    return watchdog_->library().call().AllGather(tensor.const_data_ptr(),
                                                 gathered.mutable_data_ptr(), count(tensor),
                                                 nccl_type(tensor), comm, stream);
  });
  return gathered;
}

at::Tensor NcclCommunicator::reduce_scatter(const at::Tensor& tensor) {
  if (!moves(tensor)) return host_->reduce_scatter(tensor);
  if (tensor.scalar_type() == at::kBFloat16) {
    return reduce_scatter(tensor.to(at::kFloat)).to(at::kBFloat16);
  }
  auto shape = tensor.sizes().vec();
  shape.at(0) /= size();
  auto sum = at::empty(shape, tensor.options());
  run("reduce_scatter", tensor, [&](nccl::Comm comm, nccl::Stream stream) {
    return watchdog_->library().call().ReduceScatter(tensor.const_data_ptr(),
                                                     sum.mutable_data_ptr(), count(sum),
                                                     nccl_type(tensor), nccl::kSum, comm, stream);
  });
  return sum;
}

void NcclCommunicator::broadcast(at::Tensor& tensor, int root) {
  if (!moves(tensor)) return host_->broadcast(tensor, root);
  auto* data = tensor.mutable_data_ptr();
  run("broadcast", tensor, [&](nccl::Comm comm, nccl::Stream stream) {
    return watchdog_->library().call().Broadcast(data, data, count(tensor), nccl_type(tensor), root,
                                                 comm, stream);
  });
}

void NcclCommunicator::barrier() {
  watchdog_->drain();
  host_->barrier();
}

}  // namespace softcot
