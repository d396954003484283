#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/kv_cache.h"
#include "model/shard_plan.h"

namespace softcot {

/// The factors of dropout (Srivastava et al., 2014) for an input [P, columns.size()] of packed
/// rows: 0 with probability p, else 1 / (1 - p), float32. An element's fate is a function of its
/// row's noise key, `site`, its token's position in the row and its feature number alone: the same
/// however rows are packed, spread over replicas, or features (`columns` of `width`) over ranks.
at::Tensor dropout_mask(const std::vector<PackedRow>& rows, std::uint64_t site, Slice columns,
                        std::int64_t width, double p);

}  // namespace softcot
