#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace softcot {

enum class ReduceOp { kSum, kMax, kMin };

/// Collectives over one group of ranks. Every call is collective: all ranks of the group make the
/// same calls in the same order with tensors of the same shape and dtype (float32, float64,
/// bfloat16, int64, uint8). Tensors are contiguous. No call goes through autograd, and the in-place
/// ones must never be given a tensor that autograd has saved.
///
/// A call that some rank does not join ends after the group's timeout in an Error kPeer that names
/// the collective and its sequence number; after that the group is unusable.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;  ///< 0 … size() - 1, within the group.
  virtual int size() const = 0;

  /// Replaces `tensor` by the reduction over all ranks. In place. All ranks get the same bits.
  /// bfloat16 is reduced in float32 and rounded once.
  virtual void all_reduce(at::Tensor& tensor, ReduceOp op) = 0;
  /// [n, …] on each rank → [size · n, …] on all, in order of rank. New tensor.
  virtual at::Tensor all_gather(const at::Tensor& tensor) = 0;
  /// [size · n, …] on each rank → the sum's slice [n, …] that belongs to this rank. New tensor.
  virtual at::Tensor reduce_scatter(const at::Tensor& tensor) = 0;
  /// Overwrites `tensor` with that of rank `root`. In place.
  virtual void broadcast(at::Tensor& tensor, int root) = 0;
  virtual void barrier() = 0;
};

/// The group of one rank: every collective is the identity.
class SingleCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(at::Tensor&, ReduceOp) override {}
  at::Tensor all_gather(const at::Tensor& tensor) override;
  at::Tensor reduce_scatter(const at::Tensor& tensor) override;
  void broadcast(at::Tensor&, int) override {}
  void barrier() override {}
};

/// Rank `root`'s bytes on every rank. Collective.
std::string broadcast_bytes(Communicator& group, const std::string& bytes, int root);
/// One number of each rank reduced over the group. Collective.
double reduce_scalar(Communicator& group, double value, ReduceOp op);
std::int64_t reduce_scalar(Communicator& group, std::int64_t value, ReduceOp op);

/// Throws kUsage on every rank, naming the first rank that differs from rank 0, unless all ranks
/// pass the same text (a configuration or a binary's version). Collective.
void require_same(Communicator& group, const std::string& text, const std::string& name);

}  // namespace softcot
