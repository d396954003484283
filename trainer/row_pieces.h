#pragma once

#include <cstdint>
#include <vector>

#include "model/shard_plan.h"

namespace softcot {

/// Tokens that a rank forwards and backwards at once unless told otherwise. On the host: matrix
/// products as fast as any, at activations of 15 KB a token and layer for a frozen 135M model in
/// bfloat16, 23 KB in float32. On a GPU: enough for its products, and for the host to be ahead of
/// it; 24 GB of activations for an 8B model.
inline constexpr std::int64_t kHostTokensInFlight = 1280;
inline constexpr std::int64_t kDeviceTokensInFlight = 4096;
constexpr std::int64_t default_tokens_in_flight(bool on_host) {
  return on_host ? kHostTokensInFlight : kDeviceTokensInFlight;
}

/// Rows [begin, end) of each of the batches that rows of these lengths are computed in: `pieces`
/// of nearly equal size, fewer when there are fewer rows; with 0 pieces, as many as make some
/// `tokens_in_flight` tokens each.
std::vector<Slice> cut_rows(const std::vector<std::int64_t>& lengths, std::int64_t pieces,
                            std::int64_t tokens_in_flight);

}  // namespace softcot
