#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "runtime/communicator.h"

namespace softcot {

/// Collectives on host tensors through MPI. Non-blocking calls polled against a deadline, so that a
/// lost rank is an error and not a hang.
class MpiCommunicator final : public Communicator {
 public:
  /// `ranks`: the group's world ranks in group order; this process is one of them. Collective over
  /// the group only. `chunk` is the largest number of elements handed to one MPI call (MPI counts
  /// are int).
  MpiCommunicator(const std::vector<int>& ranks, std::chrono::milliseconds timeout,
                  std::int64_t chunk = std::int64_t{1} << 28);
  ~MpiCommunicator() override;

  int rank() const override;
  int size() const override;
  void all_reduce(at::Tensor& tensor, ReduceOp op) override;
  at::Tensor all_gather(const at::Tensor& tensor) override;
  at::Tensor reduce_scatter(const at::Tensor& tensor) override;
  void broadcast(at::Tensor& tensor, int root) override;
  void barrier() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace softcot
