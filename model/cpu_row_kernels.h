#pragma once

#include <cstdint>

#include "model/cpu_kernels.h"

namespace softcot::cpu {

/// The inner loops of cpu_kernels.h for one instruction set: one row, or outputs [begin, end) of a
/// product.
struct RowKernels {
  void (*rms_norm)(const float* x, const float* weight, float epsilon, std::int64_t width, float* y,
                   float* inverse);
  void (*rms_norm_backward)(const float* dy, const float* x, const float* weight, float inverse,
                            std::int64_t width, float* dx);
  void (*swiglu)(const float* gate, const float* up, std::int64_t width, float* y);
  void (*swiglu_backward)(const float* dy, const float* gate, const float* up, std::int64_t width,
                          float* d_gate, float* d_up);
  void (*rotate_head)(float* x, const float* cosine, const float* sine, std::int64_t half,
                      float direction);
  void (*product)(const float* x, const float* weight, std::int64_t rows, std::int64_t inputs,
                  std::int64_t outputs, std::int64_t begin, std::int64_t end, float* y);
  void (*product_bf16)(const float* x, const std::uint16_t* weight, std::int64_t rows,
                       std::int64_t inputs, std::int64_t outputs, std::int64_t begin,
                       std::int64_t end, float* y);
  /// Neighbouring query heads that read the same KV head; `scores` has room for heads × the row's
  /// tokens.
  void (*decode_heads)(const DecodeRow& row, std::int64_t head, std::int64_t heads,
                       std::int64_t kv_head, std::int64_t kv_heads, std::int64_t width, float scale,
                       float* scores);
};

/// The fastest set that this processor runs.
const RowKernels& row_kernels();

}  // namespace softcot::cpu
