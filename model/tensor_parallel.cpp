#include "model/tensor_parallel.h"

#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>

namespace softcot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A gradient or activation that arrives here may be shared with autograd's own buffers, so the sum
// is taken in a copy.
at::Tensor summed(const at::Tensor& x, Communicator& group) {
  auto sum = x.clone(at::MemoryFormat::Contiguous);
  group.all_reduce(sum, ReduceOp::kSum);
  return sum;
}

struct CopyToGroup : torch::autograd::Function<CopyToGroup> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* group) {
    context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
    return x.view_as(x);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto* group = reinterpret_cast<Communicator*>(context->saved_data["group"].toInt());
    return {summed(gradients[0], *group), at::Tensor()};
  }
};

struct ReduceFromGroup : torch::autograd::Function<ReduceFromGroup> {
  static at::Tensor forward(AutogradContext*, const at::Tensor& x, Communicator* group) {
    return summed(x, *group);
  }
  static variable_list backward(AutogradContext*, variable_list gradients) {
    return {gradients[0], at::Tensor()};
  }
};

}  // namespace

at::Tensor copy_to_group(const at::Tensor& x, Communicator& group) {
  return group.size() == 1 ? x : CopyToGroup::apply(x, &group);
}

at::Tensor reduce_from_group(const at::Tensor& x, Communicator& group) {
  return group.size() == 1 ? x : ReduceFromGroup::apply(x, &group);
}

at::Tensor embedding_lookup(const at::Tensor& ids, const at::Tensor& table, Slice owned,
                            at::ScalarType dtype, Communicator& group) {
  if (group.size() == 1) return table.index_select(0, ids).to(dtype);
  const auto elsewhere = (ids < owned.begin).logical_or(ids >= owned.end);
  const auto local = (ids - owned.begin).masked_fill(elsewhere, 0);
  const auto rows = table.index_select(0, local).to(dtype);
  return reduce_from_group(rows.masked_fill(elsewhere.unsqueeze(1), 0), group);
}

}  // namespace softcot
