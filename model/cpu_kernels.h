#pragma once

#include <cstdint>

/// Fused loops over float32 activations in host memory, for what LibTorch has only as chains of
/// small operators or only slowly. Each has a reference in tests/unit/cpu_kernels_test.cpp. All
/// arrays are row-major and contiguous, outputs do not overlap inputs unless said; all calls are
/// local and use the OpenMP threads that LibTorch is set to.
namespace softcot::cpu {

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
/// weight comes out of memory once.
void few_rows_matmul(const float* x, const float* weight, std::int64_t rows, std::int64_t inputs,
                     std::int64_t outputs, float* y);
/// The same with a bfloat16 weight, widened exactly to float32.
void few_rows_matmul(const float* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y);

/// The same of rows in bfloat16, summed in float32. Only where multiplies_bf16() of
/// cpu_instruction_set.h.
void few_rows_matmul(const std::uint16_t* x, const std::uint16_t* weight, std::int64_t rows,
                     std::int64_t inputs, std::int64_t outputs, float* y);

}  // namespace softcot::cpu
