#include "runtime/communicator.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <cstring>

#include "runtime/error.h"

namespace softcot {

at::Tensor SingleCommunicator::all_gather(const at::Tensor& tensor) { return tensor.clone(); }
at::Tensor SingleCommunicator::reduce_scatter(const at::Tensor& tensor) { return tensor.clone(); }

std::string broadcast_bytes(Communicator& group, const std::string& bytes, int root) {
  auto length = at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong);
  group.broadcast(length, root);
  auto buffer = at::zeros({length.item<std::int64_t>()}, at::kByte);
  if (group.rank() == root && !bytes.empty()) {
    std::memcpy(buffer.data_ptr(), bytes.data(), bytes.size());
  }
  if (buffer.numel() > 0) group.broadcast(buffer, root);
  return {static_cast<const char*>(buffer.data_ptr()), static_cast<std::size_t>(buffer.numel())};
}

double reduce_scalar(Communicator& group, double value, ReduceOp op) {
  auto tensor = at::full({1}, value, at::kDouble);
  group.all_reduce(tensor, op);
  return tensor.item<double>();
}

std::int64_t reduce_scalar(Communicator& group, std::int64_t value, ReduceOp op) {
  auto tensor = at::full({1}, value, at::kLong);
  group.all_reduce(tensor, op);
  return tensor.item<std::int64_t>();
}

void require_same(Communicator& group, const std::string& text, const std::string& name) {
  const std::string first = broadcast_bytes(group, text, 0);
  const std::int64_t mine = text == first ? group.size() : group.rank();
  const std::int64_t differing = reduce_scalar(group, mine, ReduceOp::kMin);
  if (differing == group.size()) return;
  const std::string other = broadcast_bytes(group, text, static_cast<int>(differing));
  fail(ExitCode::kUsage, {.what = fmt::format("ranks disagree on {}", name),
                          .where = fmt::format("rank {} of {}", differing, group.size()),
                          .expected = first,
                          .got = other,
                          .fix = "start every rank with the same program, options and files"});
}

}  // namespace softcot
