#include "data/sampler.h"

#include <fmt/format.h>

#include <limits>

#include "runtime/error.h"
#include "runtime/random.h"

namespace softcot {
namespace {

/// The place in the endless order at which a step begins.
std::int64_t first_place(std::int64_t step, std::int64_t batch_rows) {
  std::int64_t end = 0;
  const bool legal = step >= 0 && batch_rows >= 1 &&
                     step < std::numeric_limits<std::int64_t>::max() &&
                     !__builtin_mul_overflow(step + 1, batch_rows, &end);
  if (!legal) {
    fail(ExitCode::kInternal,
         {.what = "no such step", .got = fmt::format("step {} of {} rows", step, batch_rows)});
  }
  return end - batch_rows;
}

}  // namespace

EpochSampler::EpochSampler(std::int64_t rows, std::uint64_t seed) : rows_(rows), seed_(seed) {
  if (rows < 1) {
    fail(ExitCode::kInternal, {.what = "no rows to sample", .got = std::to_string(rows)});
  }
}

const std::vector<std::uint64_t>& EpochSampler::order_of(std::int64_t epoch) {
  if (epoch != epoch_) {
    order_ =
        permutation(static_cast<std::uint64_t>(rows_), seed_, static_cast<std::uint64_t>(epoch));
    epoch_ = epoch;
  }
  return order_;
}

std::vector<std::int64_t> EpochSampler::global_batch(std::int64_t step, std::int64_t batch_rows) {
  const std::int64_t first = first_place(step, batch_rows);
  std::vector<std::int64_t> batch(static_cast<std::size_t>(batch_rows));
  for (std::int64_t i = 0; i < batch_rows; ++i) {
    const std::int64_t place = first + i;
    batch[static_cast<std::size_t>(i)] =
        static_cast<std::int64_t>(order_of(place / rows_)[static_cast<std::size_t>(place % rows_)]);
  }
  return batch;
}

std::vector<std::int64_t> rank_share(std::span<const std::int64_t> indices, std::int64_t dp_rank,
                                     std::int64_t dp_size) {
  if (dp_size < 1 || dp_rank < 0 || dp_rank >= dp_size) {
    fail(ExitCode::kInternal, {.what = "no such share of a batch",
                               .got = fmt::format("rank {} of {}", dp_rank, dp_size)});
  }
  const auto size = static_cast<std::int64_t>(indices.size());
  const std::int64_t begin = size * dp_rank / dp_size;
  const std::int64_t end = size * (dp_rank + 1) / dp_size;
  return {indices.begin() + begin, indices.begin() + end};
}

}  // namespace softcot
