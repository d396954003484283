#include "model/logits.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "model/cpu_kernels.h"
#include "model/elementwise.h"
#include "model/host_numbers.h"
#include "model/linear.h"

namespace softcot {

at::Tensor make_logits(const at::Tensor& hidden, const at::Tensor& head) {
  if (!fuses_on_host(hidden)) return matmul_transposed(hidden, head).to(at::kFloat);
  return product_transposed(hidden, head);
}

namespace {

/// Whether make_logits has left them to the fused loops.
bool fused(const at::Tensor& logits) { return fuses_on_host(logits) || is_narrow(logits); }

}  // namespace

LargestLogits largest_logits(const at::Tensor& logits) {
  if (!fused(logits)) {
    const auto [value, index] = logits.max(1);
    return {value, index};
  }
  const std::int64_t rows = logits.size(0);
  LargestLogits largest{at::empty({rows}, at::kFloat), at::empty({rows}, at::kLong)};
  read_numbers(logits, [&](const auto* z) {
    cpu::largest_logits(z, rows, logits.size(1), largest.value.mutable_data_ptr<float>(),
                        largest.index.mutable_data_ptr<std::int64_t>());
  });
  return largest;
}

at::Tensor exponential_sums(const at::Tensor& logits, const at::Tensor& largest) {
  if (!fused(logits)) return (logits - largest.unsqueeze(1)).exp_().sum(1);
  auto mass = at::empty({logits.size(0)}, at::kFloat);
  read_numbers(logits, [&](const auto* z) {
    cpu::exponential_sums(z, largest.const_data_ptr<float>(), logits.size(0), logits.size(1),
                          mass.mutable_data_ptr<float>());
  });
  return mass;
}

at::Tensor likelihood_gradient(at::Tensor logits, const at::Tensor& largest, const at::Tensor& mass,
                               const at::Tensor& target) {
  if (fused(logits)) {
    write_numbers(logits, [&](auto* z) {
      cpu::likelihood_gradient(largest.const_data_ptr<float>(), mass.const_data_ptr<float>(),
                               target.const_data_ptr<std::int64_t>(), logits.size(0),
                               logits.size(1), z);
    });
    return logits;
  }
  logits.sub_(largest.unsqueeze(1)).exp_().div_(mass.unsqueeze(1));
  const auto elsewhere = target < 0;
  const auto minus_one = elsewhere.to(at::kFloat).sub_(1.0).unsqueeze(1);
  return logits.scatter_add_(1, target.clamp_min(0).unsqueeze(1), minus_one);
}

}  // namespace softcot
