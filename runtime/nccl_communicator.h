#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/communicator.h"
#include "runtime/nccl_watchdog.h"
#include "runtime/side_stream.h"

namespace softcot {

/// Collectives on tensors of one device through NCCL. They run in a stream of their own, in order
/// with the current one, and the host does not wait for them: what it computes next waits on the
/// device. Tensors on the host, such as counts and texts, go through the host's communicator, and
/// so does the barrier, which first waits for the device. A host tensor of more than 1 MB of
/// numbers and a tensor of another device are refused with kInternal: something was not moved.
class NcclCommunicator final : public Communicator {
 public:
  /// `host`: the same ranks through MPI; `ranks`: their numbers in the world, in group order.
  /// Collective over the group. Throws kPeer after the watchdog's timeout when a rank does not
  /// come.
  NcclCommunicator(std::string name, std::unique_ptr<Communicator> host,
                   const std::vector<int>& ranks, at::Device device,
                   std::shared_ptr<NcclWatchdog> watchdog);
  ~NcclCommunicator() override;

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  void all_reduce(at::Tensor& tensor, ReduceOp op) override;
  at::Tensor all_gather(const at::Tensor& tensor) override;
  at::Tensor reduce_scatter(const at::Tensor& tensor) override;
  void broadcast(at::Tensor& tensor, int root) override;
  void barrier() override;

 private:
  using Start = std::function<nccl::Result(nccl::Comm, nccl::Stream)>;

  bool moves(const at::Tensor& tensor) const;
  void run(const char* name, const at::Tensor& tensor, const Start& start);

  std::unique_ptr<Communicator> host_;
  at::Device device_;
  std::shared_ptr<NcclWatchdog> watchdog_;
  std::unique_ptr<SideStream> stream_;
  NcclWatchdog::Group* group_;
};

}  // namespace softcot
