#include "data/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

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

/// The replica of every index, by its token count.
std::vector<std::int64_t> balanced_owners(std::span<const std::int64_t> token_counts,
                                          std::int64_t dp_size) {
  std::vector<std::size_t> longest_first(token_counts.size());
  std::iota(longest_first.begin(), longest_first.end(), std::size_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](std::size_t a, std::size_t b) { return token_counts[a] > token_counts[b]; });
  std::vector<std::int64_t> load(static_cast<std::size_t>(dp_size), 0);
  std::vector<std::int64_t> owners(token_counts.size());
  for (const std::size_t i : longest_first) {
    const auto least = std::min_element(load.begin(), load.end());
    // An empty row weighs something too, or one replica could take all of them.
    *least += std::max<std::int64_t>(token_counts[i], 1);
    owners[i] = least - load.begin();
  }
  return owners;
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
                                     std::int64_t dp_size,
                                     std::span<const std::int64_t> token_counts) {
  const bool counted = !token_counts.empty();
  if (dp_size < 1 || dp_rank < 0 || dp_rank >= dp_size ||
      (counted && token_counts.size() != indices.size())) {
    fail(ExitCode::kInternal,
         {.what = "no such share of a batch",
          .got = fmt::format("rank {} of {}, {} rows, {} token counts", dp_rank, dp_size,
                             indices.size(), token_counts.size())});
  }
  if (!counted) {
    const auto size = static_cast<std::int64_t>(indices.size());
    const std::int64_t begin = size * dp_rank / dp_size;
    const std::int64_t end = size * (dp_rank + 1) / dp_size;
    return {indices.begin() + begin, indices.begin() + end};
  }
  const std::vector<std::int64_t> owners = balanced_owners(token_counts, dp_size);
  std::vector<std::int64_t> share;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (owners[i] == dp_rank) share.push_back(indices[i]);
  }
  return share;
}

}  // namespace softcot
