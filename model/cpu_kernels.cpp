#include "model/cpu_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

// Every kernel is compiled for three instruction sets; the loader picks one for the machine.
#define SOFTCOT_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#if !defined(__x86_64__)
#undef SOFTCOT_KERNEL
#define SOFTCOT_KERNEL
#endif

namespace softcot::cpu {
namespace {

constexpr int kLanes = 16;
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using Words = std::uint32_t __attribute__((vector_size(kLanes * sizeof(float))));
using Halves = std::uint16_t __attribute__((vector_size(kLanes * sizeof(std::uint16_t))));

#define SOFTCOT_INLINE inline __attribute__((always_inline))

SOFTCOT_INLINE Lanes load(const float* p) {
  Lanes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

SOFTCOT_INLINE Lanes load(const std::uint16_t* p) {
  Halves h;
  std::memcpy(&h, p, sizeof h);
  const Words wide = __builtin_convertvector(h, Words) << 16;
  return std::bit_cast<Lanes>(wide);
}

SOFTCOT_INLINE void store(float* p, const Lanes& v) { std::memcpy(p, &v, sizeof v); }

SOFTCOT_INLINE float widen(float v) { return v; }
SOFTCOT_INLINE float widen(std::uint16_t v) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(v) << 16);
}

SOFTCOT_INLINE float sum(const Lanes& v) {
  float parts[kLanes];
  std::memcpy(parts, &v, sizeof v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) parts[i] += parts[i + width];
  }
  return parts[0];
}

SOFTCOT_INLINE float dot(const float* a, const float* b, std::int64_t n) {
  Lanes total = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) total += load(a + i) * load(b + i);
  float rest = sum(total);
  for (; i < n; ++i) rest += a[i] * b[i];
  return rest;
}

/// kRows rows of x against one weight row.
template <int kRows, typename Weight>
SOFTCOT_INLINE void dot_rows(const float* x, const Weight* w, std::int64_t inputs,
                             std::int64_t outputs, float* y) {
  Lanes total[kRows] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= inputs; i += kLanes) {
    const Lanes weight = load(w + i);
    for (int r = 0; r < kRows; ++r) total[r] += load(x + r * inputs + i) * weight;
  }
  for (int r = 0; r < kRows; ++r) {
    float value = sum(total[r]);
    for (std::int64_t j = i; j < inputs; ++j) value += x[r * inputs + j] * widen(w[j]);
    y[r * outputs] = value;
  }
}

template <typename Weight>
SOFTCOT_INLINE void matmul_range(const float* x, const Weight* weight, std::int64_t rows,
                                 std::int64_t inputs, std::int64_t outputs, std::int64_t begin,
                                 std::int64_t end, float* y) {
  for (std::int64_t o = begin; o < end; ++o) {
    const Weight* w = weight + o * inputs;
    std::int64_t r = 0;
    for (; r + 8 <= rows; r += 8)
      dot_rows<8>(x + r * inputs, w, inputs, outputs, y + r * outputs + o);
    for (; r + 4 <= rows; r += 4)
      dot_rows<4>(x + r * inputs, w, inputs, outputs, y + r * outputs + o);
    for (; r < rows; ++r) dot_rows<1>(x + r * inputs, w, inputs, outputs, y + r * outputs + o);
  }
}

constexpr std::int64_t kOutputBlock = 64;

SOFTCOT_KERNEL void matmul_block(const float* x, const float* weight, std::int64_t rows,
                                 std::int64_t inputs, std::int64_t outputs, std::int64_t begin,
                                 std::int64_t end, float* y) {
  matmul_range(x, weight, rows, inputs, outputs, begin, end, y);
}

SOFTCOT_KERNEL void matmul_block_bf16(const float* x, const std::uint16_t* weight,
                                      std::int64_t rows, std::int64_t inputs, std::int64_t outputs,
                                      std::int64_t begin, std::int64_t end, float* y) {
  matmul_range(x, weight, rows, inputs, outputs, begin, end, y);
}

SOFTCOT_KERNEL void rms_norm_row(const float* x, const float* weight, float epsilon,
                                 std::int64_t width, float* y, float* inverse) {
  const float mean = dot(x, x, width) / static_cast<float>(width);
  const float scale = 1.0F / std::sqrt(mean + epsilon);
  for (std::int64_t i = 0; i < width; ++i) y[i] = x[i] * scale * weight[i];
  *inverse = scale;
}

SOFTCOT_KERNEL void rms_norm_backward_row(const float* dy, const float* x, const float* weight,
                                          float inverse, std::int64_t width, float* dx) {
  Lanes total = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) total += load(dy + i) * load(weight + i) * load(x + i);
  float inner = sum(total);
  for (; i < width; ++i) inner += dy[i] * weight[i] * x[i];
  const float shrink = inner * inverse * inverse / static_cast<float>(width);
  for (std::int64_t j = 0; j < width; ++j) {
    dx[j] = inverse * (dy[j] * weight[j] - x[j] * shrink);
  }
}

/// exp(v) within 2 units in the last place for |v| ≤ 87, clamped outside: a polynomial of degree 6
/// on
/// [-ln 2 / 2, ln 2 / 2], so that the loops around it vectorise.
SOFTCOT_INLINE Lanes exp_lanes(Lanes v) {
  constexpr float kLimit = 87.0F;
  v = v > kLimit ? Lanes{} + kLimit : v;
  v = v < -kLimit ? Lanes{} - kLimit : v;
  const Lanes shifted = v * 1.44269504F + 12582912.0F;  // 1.5 · 2^23: rounds to an integer
  const Lanes whole = shifted - 12582912.0F;
  const Lanes r = (v - whole * 0.693359375F) - whole * -2.12194440e-4F;
  Lanes p = Lanes{} + 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const Words exponent = (std::bit_cast<Words>(shifted) - 0x4B400000U + 127U) << 23;
  return p * std::bit_cast<Lanes>(exponent);
}

SOFTCOT_INLINE float sigmoid(float v) { return 1.0F / (1.0F + std::exp(-v)); }

SOFTCOT_KERNEL void swiglu_row(const float* gate, const float* up, std::int64_t width, float* y) {
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Lanes g = load(gate + i);
    store(y + i, g / (1.0F + exp_lanes(-g)) * load(up + i));
  }
  for (; i < width; ++i) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

SOFTCOT_KERNEL void swiglu_backward_row(const float* dy, const float* gate, const float* up,
                                        std::int64_t width, float* d_gate, float* d_up) {
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Lanes g = load(gate + i);
    const Lanes s = 1.0F / (1.0F + exp_lanes(-g));
    const Lanes d = load(dy + i);
    store(d_up + i, d * g * s);
    store(d_gate + i, d * load(up + i) * (s + g * s * (1.0F - s)));
  }
  for (; i < width; ++i) {
    const float s = sigmoid(gate[i]);
    d_up[i] = dy[i] * gate[i] * s;
    d_gate[i] = dy[i] * up[i] * (s + gate[i] * s * (1.0F - s));
  }
}

SOFTCOT_KERNEL void rotate_head(float* x, const float* cosine, const float* sine, std::int64_t half,
                                float direction) {
  float* y = x + half;
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = x[i];
    const float b = y[i];
    const float s = direction * sine[i];
    x[i] = a * cosine[i] - b * s;
    y[i] = b * cosine[i] + a * s;
  }
}

SOFTCOT_KERNEL void decode_head(const DecodeRow& row, std::int64_t head, std::int64_t kv_head,
                                std::int64_t kv_heads, std::int64_t width, float scale,
                                float* scores) {
  const float* query = row.query + head * width;
  const std::int64_t step = kv_heads * width;
  std::int64_t total = 0;
  float largest = -INFINITY;
  for (int s = 0; s < row.span_count; ++s) {
    const float* key = row.spans[s].keys + kv_head * width;
    for (std::int64_t t = 0; t < row.spans[s].tokens; ++t, key += step) {
      const float score = dot(query, key, width) * scale;
      scores[total++] = score;
      largest = std::max(largest, score);
    }
  }
  float mass = 0;
  for (std::int64_t t = 0; t < total; ++t) {
    scores[t] = std::exp(scores[t] - largest);
    mass += scores[t];
  }
  float* output = row.output + head * width;
  std::fill(output, output + width, 0.0F);
  std::int64_t at = 0;
  for (int s = 0; s < row.span_count; ++s) {
    const float* value = row.spans[s].values + kv_head * width;
    for (std::int64_t t = 0; t < row.spans[s].tokens; ++t, value += step) {
      const float weight = scores[at++] / mass;
      for (std::int64_t i = 0; i < width; ++i) output[i] += weight * value[i];
    }
  }
}

}  // namespace

void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t rows,
              std::int64_t width, float* y, float* inverse) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    rms_norm_row(x + r * width, weight, epsilon, width, y + r * width, inverse + r);
  }
}

void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* inverse,
                       std::int64_t rows, std::int64_t width, float* dx) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    rms_norm_backward_row(dy + r * width, x + r * width, weight, inverse[r], width, dx + r * width);
  }
}

void swiglu(const float* gate_up, std::int64_t rows, std::int64_t width, float* y) {
#pragma omp parallel for if (rows > 4)
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = gate_up + r * 2 * width;
    swiglu_row(gate, gate + width, width, y + r * width);
  }
}

void swiglu_backward(const float* dy, const float* gate_up, std::int64_t rows, std::int64_t width,
                     float* d_gate_up) {
#pragma omp parallel for
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* gate = gate_up + r * 2 * width;
    float* d_gate = d_gate_up + r * 2 * width;
    swiglu_backward_row(dy + r * width, gate, gate + width, width, d_gate, d_gate + width);
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
      rotate_head(x + (r * heads + h) * width, cosine + at, sine + at, half, direction);
    }
  }
}

void few_rows_matmul(const float* x, const float* weight, std::int64_t rows, std::int64_t inputs,
                     std::int64_t outputs, float* y) {
#pragma omp parallel for
  for (std::int64_t o = 0; o < outputs; o += kOutputBlock) {
    matmul_block(x, weight, rows, inputs, outputs, o, std::min(o + kOutputBlock, outputs), y);
  }
}

void few_rows_matmul(const float* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y) {
#pragma omp parallel for
  for (std::int64_t o = 0; o < outputs; o += kOutputBlock) {
    matmul_block_bf16(x, weight, rows, inputs, outputs, o, std::min(o + kOutputBlock, outputs), y);
  }
}

void decode_attention(const DecodeRow* rows, std::int64_t row_count,
                      const std::int64_t* kv_of_query, std::int64_t query_heads,
                      std::int64_t kv_heads, std::int64_t width, float scale) {
#pragma omp parallel
  {
    std::vector<float> scores;
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < row_count * query_heads; ++i) {
      const DecodeRow& row = rows[i / query_heads];
      const std::int64_t head = i % query_heads;
      std::int64_t tokens = 0;
      for (int s = 0; s < row.span_count; ++s) tokens += row.spans[s].tokens;
      if (static_cast<std::int64_t>(scores.size()) < tokens) scores.resize(tokens);
      decode_head(row, head, kv_of_query[head], kv_heads, width, scale, scores.data());
    }
  }
}

}  // namespace softcot::cpu
