#include "trainer/row_pieces.h"

#include <algorithm>
#include <numeric>

namespace softcot {

std::vector<Slice> cut_rows(const std::vector<std::int64_t>& lengths, std::int64_t pieces,
                            std::int64_t tokens_in_flight) {
  const auto count = static_cast<std::int64_t>(lengths.size());
  if (pieces == 0) {
    const auto tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    pieces = (tokens + tokens_in_flight - 1) / tokens_in_flight;
  }
  const auto parts = static_cast<int>(std::min(pieces, count));
  std::vector<Slice> slices;
  for (int p = 0; p < parts; ++p) slices.push_back(even_part(count, p, parts));
  return slices;
}

}  // namespace softcot
