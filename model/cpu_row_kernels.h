#pragma once

#include <cstdint>
#include <vector>

#include "model/cpu_attention.h"

namespace softcot::cpu {

/// Neighbouring query heads that read the same KV head.
struct HeadGroup {
  std::int64_t first;
  std::int64_t count;
  std::int64_t kv_head;
};
std::vector<HeadGroup> head_groups(const std::int64_t* kv_of_query, std::int64_t query_heads);

/// Queries' tokens that attention works on at once: the unit of work of the forward pass.
inline constexpr std::int64_t kQueryBlock = 64;

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
  void (*widen)(const std::uint16_t* x, const float* bias, std::int64_t width, float* y);
  void (*narrow)(const float* x, std::int64_t width, std::uint16_t* y);
  void (*add)(const float* x, std::int64_t width, float* y);
  void (*add_bf16)(const std::uint16_t* x, std::int64_t width, float* y);
  /// The largest of `width` logits, its index (the first of equals), and the sum of their
  /// exponentials by it.
  float (*largest)(const float* logits, std::int64_t width, std::int64_t* index);
  float (*exp_sum)(const float* logits, std::int64_t width, float largest);
  /// y = exp(logits - largest) · factor; y may be the logits.
  void (*softmax)(const float* logits, std::int64_t width, float largest, float factor, float* y);
  void (*rotate_head)(float* x, const float* cosine, const float* sine, std::int64_t half,
                      float direction);
  void (*product)(const float* x, const float* weight, std::int64_t rows, std::int64_t inputs,
                  std::int64_t outputs, std::int64_t begin, std::int64_t end, float* y);
  void (*product_bf16)(const float* x, const std::uint16_t* weight, std::int64_t rows,
                       std::int64_t inputs, std::int64_t outputs, std::int64_t begin,
                       std::int64_t end, float* y);
  /// Of rows in bfloat16; null where the instruction set cannot.
  void (*product_of_bf16)(const std::uint16_t* x, const std::uint16_t* weight, std::int64_t rows,
                          std::int64_t inputs, std::int64_t outputs, std::int64_t begin,
                          std::int64_t end, float* y);
  /// decode_attention of heads [first, first + count); `scores` has room for count × the row's
  /// tokens.
  void (*decode_heads)(const DecodeRow& row, const AttentionHeads& heads, std::int64_t first,
                       std::int64_t count, float* scores);
  /// causal_attention of the group's heads for tokens [first, end), at most kQueryBlock.
  void (*attend)(const AttentionRow& row, const AttentionHeads& heads, const HeadGroup& group,
                 std::int64_t first, std::int64_t end, std::vector<float>& scratch);
  /// causal_attention_backward of the group's heads and their KV head.
  void (*attend_backward)(const AttentionRow& row, const AttentionGradient& gradient,
                          const AttentionHeads& heads, const HeadGroup& group,
                          std::vector<float>& scratch);
};

/// The fastest set that this processor runs.
const RowKernels& row_kernels();

}  // namespace softcot::cpu
