#pragma once

#include <ATen/Functions.h>

#include <cmath>
#include <vector>

#include "model/shard_plan.h"

namespace softcot {

/// Sizes of a rank's attention: Q query heads and K key-value heads of width D.
struct AttentionShape {
  std::int64_t query_heads;
  std::int64_t kv_heads;
  std::int64_t head_width;
  std::vector<std::int64_t> kv_of_query;  ///< [Q], the KV head each query head reads.
  at::Tensor kv_index;                    ///< The same, where tensors are.

  AttentionShape(const ShardPlan& plan, std::int64_t width, at::Device device)
      : query_heads(plan.query_heads()),
        kv_heads(plan.kv_heads()),
        head_width(width),
        kv_of_query(plan.kv_of_query()),
        kv_index(at::tensor(kv_of_query, at::kLong).to(device)) {}

  /// Heads of one token's queries, keys and values.
  std::int64_t heads() const { return query_heads + 2 * kv_heads; }
  /// What scores are multiplied by: 1 / sqrt(D).
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(head_width)); }
};

}  // namespace softcot
