#include "launch/machine/machine_speed.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <chrono>

namespace softcot {
namespace {

/// Seconds of the fastest of `times` calls, after one that is not counted.
template <typename Work>
double fastest(int times, Work work) {
  work();
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count());
  }
  return best;
}

}  // namespace

MachineSpeed measure_machine_speed(at::ScalarType dtype, at::Device device) {
  const at::NoGradGuard no_grad;
  const std::int64_t side = device.is_cpu() ? 2048 : 8192;
  // Random: products of numbers that are all alike need less power, and so run faster.
  const auto numbers = at::TensorOptions(device).dtype(dtype);
  const auto a = at::randn({side, side}, numbers), b = at::randn({side, side}, numbers);
  auto product = at::empty({side, side}, numbers);
  // Reading one number waits for a device.
  const double gemm = fastest(5, [&] {
    at::mm_out(product, a, b);
    product[0][0].item();
  });
  const std::int64_t count = std::int64_t{device.is_cpu() ? 64 : 1024} << 20;
  const auto block = at::ones({count}, at::TensorOptions(device).dtype(at::kFloat));
  const double read = fastest(5, [&] { block.sum().item(); });
  const auto cube =
      static_cast<double>(side) * static_cast<double>(side) * static_cast<double>(side);
  return {.gemm_flops = 2.0 * cube / gemm,
          .memory_bytes = static_cast<double>(block.nbytes()) / read};
}

}  // namespace softcot
