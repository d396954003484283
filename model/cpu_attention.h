#pragma once

#include <cstdint>
#include <vector>

/// Causal grouped-query attention over float32 heads in host memory, forward and backward, where
/// keys and values lie: none is copied for the query heads that share it, and no mask is made. The
/// reference is in tests/unit/cpu_attention_test.cpp. Calls are local and use the OpenMP threads
/// that LibTorch is set to; the numbers of a row depend neither on them nor on the other rows.
namespace softcot::cpu {

/// Sizes of a rank's attention.
struct AttentionHeads {
  std::int64_t query_heads;
  std::int64_t kv_heads;
  std::int64_t width;               ///< D
  const std::int64_t* kv_of_query;  ///< [query_heads], never falling.
  float scale;                      ///< Of the scores q · k.
};

/// Part of one row's keys and values, [tokens, kv_heads, width] each.
struct KvSpan {
  const float* keys;
  const float* values;
  std::int64_t tokens;
};

/// New tokens of one row. Each sees all of the past, the new tokens before it, and itself.
struct AttentionRow {
  const float* heads;  ///< [tokens, query_heads + 2 kv_heads, D]: queries, keys, values.
  std::int64_t tokens;
  std::vector<KvSpan> past;  ///< Oldest first.
  float* output;             ///< [tokens, query_heads, D]
  float* mass;               ///< [query_heads, tokens]: log Σ exp of a query's scores.
};

/// Fills output and mass.
void causal_attention(const std::vector<AttentionRow>& rows, const AttentionHeads& heads);

/// What comes in and goes out of one row's backward pass.
struct AttentionGradient {
  const float* d_output;  ///< [tokens, query_heads, D]
  float* d_heads;         ///< As AttentionRow::heads.
};

/// Fills d_heads; the past gets no gradient. `rows` as causal_attention has left them.
void causal_attention_backward(const std::vector<AttentionRow>& rows,
                               const std::vector<AttentionGradient>& gradients,
                               const AttentionHeads& heads);

/// One new token's attention over all that its row has seen.
struct DecodeRow {
  const float* query;   ///< [query_heads, width]
  const KvSpan* spans;  ///< oldest first; the new token's own key and value are in the last
  int span_count;
  float* output;  ///< [query_heads, width]
};

/// softmax(q · k · scale) v for each row and query head.
void decode_attention(const std::vector<DecodeRow>& rows, const AttentionHeads& heads);

}  // namespace softcot::cpu
