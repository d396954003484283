#pragma once

#include <cstdint>
#include <vector>

#include "model/shard_plan.h"

namespace softcot {

/// Tokens that a rank forwards and backwards at once unless told otherwise: matrix products as fast
/// as any, at activations of some 25 KB a token and layer for a 135M model.
inline constexpr std::int64_t kTokensInFlight = 1024;

/// Rows [begin, end) of each of the batches that rows of these lengths are computed in: `pieces`
/// of nearly equal size, fewer when there are fewer rows; with 0 pieces, as many as make some
/// kTokensInFlight tokens each.
std::vector<Slice> cut_rows(const std::vector<std::int64_t>& lengths, std::int64_t pieces);

}  // namespace softcot
