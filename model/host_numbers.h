#pragma once

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/cpu_kernels.h"

/// Host tensors of float32 or bfloat16 numbers as the kernels of cpu_kernels.h take them.
namespace softcot {

inline bool is_narrow(const at::Tensor& x) { return x.scalar_type() == at::kBFloat16; }

/// Calls `use(const float*)` or `use(const std::uint16_t*)`.
template <typename Use>
void read_numbers(const at::Tensor& x, Use use) {
  if (is_narrow(x)) {
    use(static_cast<const std::uint16_t*>(x.const_data_ptr()));
  } else {
    use(x.const_data_ptr<float>());
  }
}

/// Calls `use(float*)` or `use(std::uint16_t*)`.
template <typename Use>
void write_numbers(const at::Tensor& x, Use use) {
  if (is_narrow(x)) {
    use(static_cast<std::uint16_t*>(x.mutable_data_ptr()));
  } else {
    use(x.mutable_data_ptr<float>());
  }
}

/// Memory for one matrix after another: made anew where the last one had less. The tensors that
/// were made of it are kept too: making one takes LibTorch longer than the norm of a row.
class HostBuffer {
 public:
  /// A row-major matrix in it, whatever was there before.
  const at::Tensor& matrix(std::int64_t rows, std::int64_t width, at::ScalarType dtype) {
    for (const at::Tensor& each : matrices_) {
      if (each.size(0) == rows && each.size(1) == width && each.scalar_type() == dtype) return each;
    }
    const std::int64_t count = rows * width;
    if (!memory_.defined() || memory_.scalar_type() != dtype || memory_.numel() < count) {
      matrices_.clear();
      memory_ = at::Tensor();  // It goes before the larger one comes.
      memory_ = at::empty({count}, dtype);
    }
    return matrices_.emplace_back(memory_.narrow(0, 0, count).view({rows, width}));
  }

 private:
  at::Tensor memory_;
  std::vector<at::Tensor> matrices_;
};

/// x [P, W] itself where it is float32, else its numbers widened into `memory`.
inline at::Tensor widened(const at::Tensor& x, HostBuffer& memory) {
  if (!is_narrow(x)) return x;
  auto wide = memory.matrix(x.size(0), x.size(1), at::kFloat);
  cpu::widen(static_cast<const std::uint16_t*>(x.const_data_ptr()), nullptr, x.size(0), x.size(1),
             wide.mutable_data_ptr<float>());
  return wide;
}

}  // namespace softcot
