#pragma once

#include <cstdint>

/// Fused loops over float32 activations in host memory, for what LibTorch has only as chains of
/// small operators or only slowly. Each has a reference in tests/unit/cpu_kernels_test.cpp. All
/// arrays are row-major and contiguous, outputs do not overlap inputs unless said; all calls are
/// local and use the OpenMP threads that LibTorch is set to.
namespace softcot::cpu {

/// The kernels are compiled for several instruction sets, and the best that the processor has is
/// taken, unless ATEN_CPU_CAPABILITY or ONEDNN_MAX_CPU_ISA, which limit the library, name a lesser
/// one. Tests take others: false where the processor has not this one. Local.
enum class InstructionSet { kBest, kPortable, kAvx2, kAvx512, kAvx512Bf16 };
bool use_instruction_set(InstructionSet set);
/// Whether the instruction set in use multiplies bfloat16.
bool multiplies_bf16();

// Where a number's type is a parameter it is float or std::uint16_t, a bfloat16: widened as it is
// read, rounded to the nearest as it is written, float32 in between.

/// y [rows, width] = x / rms(x) · weight [width]; `inverse` [rows], unless it is null, receives
/// 1 / rms(x).
template <typename Out>
void rms_norm(const float* x, const float* weight, float epsilon, std::int64_t rows,
              std::int64_t width, Out* y, float* inverse);
/// dx of rms_norm from dy, x and `inverse`.
void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* inverse,
                       std::int64_t rows, std::int64_t width, float* dx);
/// The same added to dx.
template <typename In>
void add_rms_norm_backward(const In* dy, const float* x, const float* weight, const float* inverse,
                           std::int64_t rows, std::int64_t width, float* dx);

/// y [rows, width] = silu(gate) · up with gate_up [rows, 2 · width] = [gate, up].
template <typename In, typename Out>
void swiglu(const In* gate_up, std::int64_t rows, std::int64_t width, Out* y);
/// d_gate_up [rows, 2 · width] of swiglu.
template <typename Gradient, typename In>
void swiglu_backward(const Gradient* dy, const In* gate_up, std::int64_t rows, std::int64_t width,
                     Gradient* d_gate_up);

/// y [rows, width] float32 = bfloat16 x, plus bias [width] where there is one.
void widen(const std::uint16_t* x, const float* bias, std::int64_t rows, std::int64_t width,
           float* y);
/// y [count] bfloat16 = x, rounded to the nearest, ties to even.
void narrow(const float* x, std::int64_t count, std::uint16_t* y);
/// y [count] += x.
void add(const float* x, std::int64_t count, float* y);
void add(const std::uint16_t* x, std::int64_t count, float* y);

/// largest [rows] of logits [rows, width] and where it stands, the first of equals.
template <typename In>
void largest_logits(const In* logits, std::int64_t rows, std::int64_t width, float* largest,
                    std::int64_t* index);
/// mass [rows] = Σ exp(logits - largest).
template <typename In>
void exponential_sums(const In* logits, const float* largest, std::int64_t rows, std::int64_t width,
                      float* mass);
/// logits = exp(logits - largest) / mass, less 1 at `target` [rows] unless that is negative: the
/// gradient of the negative log-likelihood, in place.
template <typename In>
void likelihood_gradient(const float* largest, const float* mass, const std::int64_t* target,
                         std::int64_t rows, std::int64_t width, In* logits);

/// Rotates, in place, the first `rotated` of `heads` heads of x [rows, heads, width] by the angles
/// of positions [rows]: pairs (i, i + width / 2), tables cosine and sine [positions, width / 2].
/// `direction` +1 rotates, -1 rotates back (the gradient).
void rotate(float* x, const std::int64_t* positions, const float* cosine, const float* sine,
            std::int64_t rows, std::int64_t heads, std::int64_t rotated, std::int64_t width,
            float direction);

/// y [rows, outputs] = x [rows, inputs] · weight [outputs, inputs]^T, made for a few rows: the
/// weight is streamed once for every 8 rows.
void few_rows_matmul(const float* x, const float* weight, std::int64_t rows, std::int64_t inputs,
                     std::int64_t outputs, float* y);
/// The same with a bfloat16 weight, widened exactly to float32.
void few_rows_matmul(const float* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y);

/// The same of rows in bfloat16, summed in float32. Only where multiplies_bf16().
void few_rows_matmul(const std::uint16_t* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y);

/// Part of one row's keys and values, [tokens, kv_heads, width] each.
struct KvSpan {
  const float* keys;
  const float* values;
  std::int64_t tokens;
};

/// One new token's attention over all that its row has seen.
struct DecodeRow {
  const float* query;   ///< [query_heads, width]
  const KvSpan* spans;  ///< oldest first; the new token's own key and value are in the last
  int span_count;
  float* output;  ///< [query_heads, width]
};

/// softmax(q · k · scale) v for each row and query head; kv_of_query [query_heads] names the KV
/// head.
void decode_attention(const DecodeRow* rows, std::int64_t row_count,
                      const std::int64_t* kv_of_query, std::int64_t query_heads,
                      std::int64_t kv_heads, std::int64_t width, float scale);

}  // namespace softcot::cpu
