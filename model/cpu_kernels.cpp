#include "model/cpu_kernels.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "model/compiled_products.h"
#include "model/cpu_row_kernels.h"

namespace softcot::cpu {

namespace portable {
extern const RowKernels kRowKernels;
}
#if defined(SOFTCOT_X86_KERNELS)
namespace avx2 {
extern const RowKernels kRowKernels;
}
namespace avx512 {
extern const RowKernels kRowKernels;
}
namespace avx512bf16 {
extern const RowKernels kRowKernels;
}
#endif

namespace {

/// Nothing where the processor, or the compiler's, has not this set.
const RowKernels* kernels_for(InstructionSet set) {
  if (set == InstructionSet::kPortable) return &portable::kRowKernels;
#if defined(SOFTCOT_X86_KERNELS)
  const bool v3 = __builtin_cpu_supports("x86-64-v3"), v4 = __builtin_cpu_supports("x86-64-v4");
  const bool bf16 = v4 && __builtin_cpu_supports("avx512bf16");
  if (set == InstructionSet::kAvx512Bf16) return bf16 ? &avx512bf16::kRowKernels : nullptr;
  if (set == InstructionSet::kAvx512) return v4 ? &avx512::kRowKernels : nullptr;
  if (set == InstructionSet::kAvx2) return v3 ? &avx2::kRowKernels : nullptr;
  const char* variable = std::getenv("ATEN_CPU_CAPABILITY");
  const std::string_view limit = variable == nullptr ? "" : variable;
  if (!v3 || limit == "default") return &portable::kRowKernels;
  if (!v4 || limit == "avx2") return &avx2::kRowKernels;
  return bf16 && processor_multiplies_bf16() ? &avx512bf16::kRowKernels : &avx512::kRowKernels;
#else
  return set == InstructionSet::kBest ? &portable::kRowKernels : nullptr;
#endif
}

std::atomic<const RowKernels*> chosen_kernels{nullptr};

}  // namespace

bool use_instruction_set(InstructionSet set) {
  const RowKernels* kernels = kernels_for(set);
  if (kernels != nullptr) chosen_kernels = kernels;
  return kernels != nullptr;
}

const RowKernels& row_kernels() {
  const RowKernels* kernels = chosen_kernels.load(std::memory_order_relaxed);
  if (kernels == nullptr) {
    use_instruction_set(InstructionSet::kBest);
    kernels = chosen_kernels.load(std::memory_order_relaxed);
  }
  return *kernels;
}

bool multiplies_bf16() { return row_kernels().product_of_bf16 != nullptr; }

namespace {

constexpr std::int64_t kOutputBlock =
    32;  ///< Outputs of a product that one thread takes at a time.

template <typename Value, typename Weight, typename Product>
void product_by_blocks(Product product, const Value* x, const Weight* weight, std::int64_t rows,
                       std::int64_t inputs, std::int64_t outputs, float* y) {
#pragma omp parallel for
  for (std::int64_t o = 0; o < outputs; o += kOutputBlock) {
    product(x, weight, rows, inputs, outputs, o, std::min(o + kOutputBlock, outputs), y);
  }
}

/// Numbers of a row that a thread is about to round, kept for the next row.
float* row_memory(std::int64_t width) {
  thread_local std::vector<float> memory;
  if (static_cast<std::int64_t>(memory.size()) < width) memory.resize(width);
  return memory.data();
}

/// Calls `work(first, count)` for parts of [0, count).
template <typename Work>
void by_blocks(std::int64_t count, Work work) {
  constexpr std::int64_t kBlock = 4096;
#pragma omp parallel for if (count > 4 * kBlock)
  for (std::int64_t at = 0; at < count; at += kBlock) work(at, std::min(kBlock, count - at));
}

}  // namespace

void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t rows,
              std::int64_t width, float* y, float* inverse) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    row_kernels().rms_norm(x + r * width, weight, epsilon, width, y + r * width, inverse + r);
  }
}

void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t rows,
              std::int64_t width, float* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    float inverse = 0;
    row_kernels().rms_norm(x + r * width, weight, epsilon, width, y + r * width, &inverse);
  }
}

void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t rows,
              std::int64_t width, std::uint16_t* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    float inverse = 0;
    float* wide = row_memory(width);
    row_kernels().rms_norm(x + r * width, weight, epsilon, width, wide, &inverse);
    row_kernels().narrow(wide, width, y + r * width);
  }
}

void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* inverse,
                       std::int64_t rows, std::int64_t width, float* dx) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    row_kernels().rms_norm_backward(dy + r * width, x + r * width, weight, inverse[r], width,
                                    dx + r * width);
  }
}

void swiglu(const float* gate_up, std::int64_t rows, std::int64_t width, float* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = gate_up + r * 2 * width;
    row_kernels().swiglu(gate, gate + width, width, y + r * width);
  }
}

void swiglu(const float* gate_up, std::int64_t rows, std::int64_t width, std::uint16_t* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = gate_up + r * 2 * width;
    float* wide = row_memory(width);
    row_kernels().swiglu(gate, gate + width, width, wide);
    row_kernels().narrow(wide, width, y + r * width);
  }
}

void swiglu(const std::uint16_t* gate_up, std::int64_t rows, std::int64_t width, std::uint16_t* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    float* wide = row_memory(2 * width);
    row_kernels().widen(gate_up + r * 2 * width, nullptr, 2 * width, wide);
    row_kernels().swiglu(wide, wide + width, width, wide);
    row_kernels().narrow(wide, width, y + r * width);
  }
}

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

void swiglu_backward(const float* dy, const float* gate_up, std::int64_t rows, std::int64_t width,
                     float* d_gate_up) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = gate_up + r * 2 * width;
    float* d_gate = d_gate_up + r * 2 * width;
    row_kernels().swiglu_backward(dy + r * width, gate, gate + width, width, d_gate,
                                  d_gate + width);
  }
}

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

void decode_attention(const DecodeRow* rows, std::int64_t row_count,
                      const std::int64_t* kv_of_query, std::int64_t query_heads,
                      std::int64_t kv_heads, std::int64_t width, float scale) {
  const auto groups = head_groups(kv_of_query, query_heads);
  const auto group_count = static_cast<std::int64_t>(groups.size());
#pragma omp parallel
  {
    std::vector<float> scores;
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < row_count * group_count; ++i) {
      const DecodeRow& row = rows[i / group_count];
      const HeadGroup& group = groups[i % group_count];
      std::int64_t tokens = 0;
      for (int s = 0; s < row.span_count; ++s) tokens += row.spans[s].tokens;
      scores.resize(group.count * tokens);
      row_kernels().decode_heads(row, group.first, group.count, group.kv_head, kv_heads, width,
                                 scale, scores.data());
    }
  }
}

}  // namespace softcot::cpu
