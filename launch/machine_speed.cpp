#include "launch/machine_speed.h"

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

MachineSpeed measure_machine_speed(at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  constexpr std::int64_t kSide = 2048;
  const auto a = at::ones({kSide, kSide}, dtype);
  const auto b = at::ones({kSide, kSide}, dtype);
  auto product = at::empty({kSide, kSide}, dtype);
  const double gemm = fastest(5, [&] { at::mm_out(product, a, b); });
  const auto block = at::ones({std::int64_t{64} << 20}, at::kFloat);
  const double read = fastest(5, [&] { block.sum(); });
  return {.gemm_flops = 2.0 * kSide * kSide * kSide / gemm,
          .memory_bytes = static_cast<double>(block.nbytes()) / read};
}

}  // namespace softcot
