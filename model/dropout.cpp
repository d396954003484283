#include "model/dropout.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include "runtime/random.h"

namespace softcot {

at::Tensor dropout_mask(const std::vector<PackedRow>& rows, std::uint64_t site, Slice columns,
                        std::int64_t width, double p) {
  std::int64_t tokens = 0;
  for (const auto& row : rows) tokens += row.tokens;
  auto mask = at::empty({tokens, columns.size()}, at::kFloat);
  auto* out = mask.mutable_data_ptr<float>();
  const auto kept = static_cast<float>(1.0 / (1.0 - p));
  std::int64_t first = 0;
  for (const auto& row : rows) {
    const RandomStream stream(row.noise, RandomPurpose::kDropout, {site});
    at::parallel_for(0, row.tokens, 64, [&](std::int64_t begin, std::int64_t end) {
      RandomStream mine = stream;
      for (std::int64_t t = begin; t < end; ++t) {
        mine.skip_to(static_cast<std::uint64_t>((row.position() + t) * width + columns.begin));
        float* line = out + (first + t) * columns.size();
        for (std::int64_t i = 0; i < columns.size(); ++i) {
          line[i] = mine.uniform() < p ? 0.0F : kept;
        }
      }
    });
    first += row.tokens;
  }
  return mask;
}

}  // namespace softcot
