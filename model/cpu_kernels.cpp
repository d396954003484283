#include "model/cpu_kernels.h"

#include <algorithm>
#include <vector>

#include "model/cpu_row_kernels.h"

namespace softcot::cpu {

namespace {

/// Outputs of a product that one thread takes at the least.
constexpr std::int64_t kOutputBlock = 32;

/// Threads take long stretches of the weight first, then ever shorter ones: long, as it comes out
/// of memory as a stream and each beginning costs a wait; short, so that they end together.
template <typename Value, typename Weight, typename Product>
void product_by_blocks(Product product, const Value* x, const Weight* weight, std::int64_t rows,
                       std::int64_t inputs, std::int64_t outputs, float* y) {
#pragma omp parallel for schedule(guided)
  for (std::int64_t o = 0; o < outputs; o += kOutputBlock) {
    product(x, weight, rows, inputs, outputs, o, std::min(o + kOutputBlock, outputs), y);
  }
}

/// Numbers of a row in float32: where they lie, or in a thread's own memory, kept for the next row.
/// `kUse` tells several uses at a time apart.
template <int kUse>
float* row_memory(std::int64_t width) {
  thread_local std::vector<float> memory;
  if (static_cast<std::int64_t>(memory.size()) < width) memory.resize(width);
  return memory.data();
}

/// A row that is read.
template <int kUse>
const float* widened(const float* x, std::int64_t) {
  return x;
}
template <int kUse>
const float* widened(const std::uint16_t* x, std::int64_t width) {
  float* wide = row_memory<kUse>(width);
  row_kernels().widen(x, nullptr, width, wide);
  return wide;
}

/// A row that `fill(float*)` writes.
template <int kUse, typename Fill>
void filled(float* y, std::int64_t, Fill fill) {
  fill(y);
}
template <int kUse, typename Fill>
void filled(std::uint16_t* y, std::int64_t width, Fill fill) {
  float* wide = row_memory<kUse>(width);
  fill(wide);
  row_kernels().narrow(wide, width, y);
}

/// Calls `work(first, count)` for parts of [0, count).
template <typename Work>
void by_blocks(std::int64_t count, Work work) {
  constexpr std::int64_t kBlock = 4096;
#pragma omp parallel for if (count > 4 * kBlock)
  for (std::int64_t at = 0; at < count; at += kBlock) work(at, std::min(kBlock, count - at));
}

}  // namespace

template <typename Out>
void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t rows,
              std::int64_t width, Out* y, float* inverse) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    float scale = 0;
    filled<0>(y + r * width, width, [&](float* out) {
      row_kernels().rms_norm(x + r * width, weight, epsilon, width, out, &scale);
    });
    if (inverse != nullptr) inverse[r] = scale;
  }
}
template void rms_norm(const float*, const float*, float, std::int64_t, std::int64_t, float*,
                       float*);
template void rms_norm(const float*, const float*, float, std::int64_t, std::int64_t,
                       std::uint16_t*, float*);

void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* inverse,
                       std::int64_t rows, std::int64_t width, float* dx) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    row_kernels().rms_norm_backward(dy + r * width, x + r * width, weight, inverse[r], width,
                                    dx + r * width);
  }
}

template <typename In>
void add_rms_norm_backward(const In* dy, const float* x, const float* weight, const float* inverse,
                           std::int64_t rows, std::int64_t width, float* dx) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    float* change = row_memory<1>(width);
    row_kernels().rms_norm_backward(widened<0>(dy + r * width, width), x + r * width, weight,
                                    inverse[r], width, change);
    row_kernels().add(change, width, dx + r * width);
  }
}
template void add_rms_norm_backward(const float*, const float*, const float*, const float*,
                                    std::int64_t, std::int64_t, float*);
template void add_rms_norm_backward(const std::uint16_t*, const float*, const float*, const float*,
                                    std::int64_t, std::int64_t, float*);

template <typename In, typename Out>
void swiglu(const In* gate_up, std::int64_t rows, std::int64_t width, Out* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = widened<0>(gate_up + r * 2 * width, 2 * width);
    filled<1>(y + r * width, width,
              [&](float* out) { row_kernels().swiglu(gate, gate + width, width, out); });
  }
}
template void swiglu(const float*, std::int64_t, std::int64_t, float*);
template void swiglu(const float*, std::int64_t, std::int64_t, std::uint16_t*);
template void swiglu(const std::uint16_t*, std::int64_t, std::int64_t, float*);
template void swiglu(const std::uint16_t*, std::int64_t, std::int64_t, std::uint16_t*);

template <typename Gradient, typename In>
void swiglu_backward(const Gradient* dy, const In* gate_up, std::int64_t rows, std::int64_t width,
                     Gradient* d_gate_up) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = widened<0>(gate_up + r * 2 * width, 2 * width);
    const float* gradient = widened<1>(dy + r * width, width);
    filled<2>(d_gate_up + r * 2 * width, 2 * width, [&](float* out) {
      row_kernels().swiglu_backward(gradient, gate, gate + width, width, out, out + width);
    });
  }
}
template void swiglu_backward(const float*, const float*, std::int64_t, std::int64_t, float*);
template void swiglu_backward(const float*, const std::uint16_t*, std::int64_t, std::int64_t,
                              float*);
template void swiglu_backward(const std::uint16_t*, const float*, std::int64_t, std::int64_t,
                              std::uint16_t*);
template void swiglu_backward(const std::uint16_t*, const std::uint16_t*, std::int64_t,
                              std::int64_t, std::uint16_t*);

void widen(const std::uint16_t* x, const float* bias, std::int64_t rows, std::int64_t width,
           float* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    row_kernels().widen(x + r * width, bias, width, y + r * width);
  }
}

void narrow(const float* x, std::int64_t count, std::uint16_t* y) {
  by_blocks(count, [&](std::int64_t at, std::int64_t size) {
    row_kernels().narrow(x + at, size, y + at);
  });
}

void add(const float* x, std::int64_t count, float* y) {
  by_blocks(count,
            [&](std::int64_t at, std::int64_t size) { row_kernels().add(x + at, size, y + at); });
}

void add(const std::uint16_t* x, std::int64_t count, float* y) {
  by_blocks(count, [&](std::int64_t at, std::int64_t size) {
    row_kernels().add_bf16(x + at, size, y + at);
  });
}

template <typename In>
void largest_logits(const In* logits, std::int64_t rows, std::int64_t width, float* largest,
                    std::int64_t* index) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    largest[r] = row_kernels().largest(widened<0>(logits + r * width, width), width, index + r);
  }
}
template void largest_logits(const float*, std::int64_t, std::int64_t, float*, std::int64_t*);
template void largest_logits(const std::uint16_t*, std::int64_t, std::int64_t, float*,
                             std::int64_t*);

template <typename In>
void exponential_sums(const In* logits, const float* largest, std::int64_t rows, std::int64_t width,
                      float* mass) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    mass[r] = row_kernels().exp_sum(widened<0>(logits + r * width, width), width, largest[r]);
  }
}
template void exponential_sums(const float*, const float*, std::int64_t, std::int64_t, float*);
template void exponential_sums(const std::uint16_t*, const float*, std::int64_t, std::int64_t,
                               float*);

template <typename In>
void likelihood_gradient(const float* largest, const float* mass, const std::int64_t* target,
                         std::int64_t rows, std::int64_t width, In* logits) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    In* mine = logits + r * width;
    const float* wide = widened<0>(mine, width);
    filled<0>(mine, width, [&](float* y) {
      row_kernels().softmax(wide, width, largest[r], 1.0F / mass[r], y);
      if (target[r] >= 0) y[target[r]] -= 1.0F;
    });
  }
}
template void likelihood_gradient(const float*, const float*, const std::int64_t*, std::int64_t,
                                  std::int64_t, float*);
template void likelihood_gradient(const float*, const float*, const std::int64_t*, std::int64_t,
                                  std::int64_t, std::uint16_t*);

void rotate(float* x, const std::int64_t* positions, const float* cosine, const float* sine,
            std::int64_t rows, std::int64_t heads, std::int64_t rotated, std::int64_t width,
            float direction) {
  const std::int64_t half = width / 2;
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t at = positions[r] * half;
    for (std::int64_t h = 0; h < rotated; ++h) {
      row_kernels().rotate_head(x + (r * heads + h) * width, cosine + at, sine + at, half,
                                direction);
    }
  }
}

void few_rows_matmul(const float* x, const float* weight, std::int64_t rows, std::int64_t inputs,
                     std::int64_t outputs, float* y) {
  product_by_blocks(row_kernels().product, x, weight, rows, inputs, outputs, y);
}

void few_rows_matmul(const float* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y) {
  product_by_blocks(row_kernels().product_bf16, x, weight, rows, inputs, outputs, y);
}

void few_rows_matmul(const std::uint16_t* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y) {
  product_by_blocks(row_kernels().product_of_bf16, x, weight, rows, inputs, outputs, y);
}

}  // namespace softcot::cpu
