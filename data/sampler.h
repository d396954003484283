#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace softcot {

/// The global order in which training sees the rows: epoch after epoch, each a permutation that is
/// a pure function of (seed, epoch). The step alone says what a batch holds: nothing to save for a
/// resume, and the number of ranks does not matter. Every rank computes the same batch and takes
/// its share.
class EpochSampler {
 public:
  /// `rows` ≥ 1.
  EpochSampler(std::int64_t rows, std::uint64_t seed);

  std::int64_t rows() const { return rows_; }

  /// The rows of step `step` (from 0) with `batch_rows` ≥ 1 rows a step in every step of the run:
  /// the places [step·batch_rows, (step + 1)·batch_rows) of the endless order. A batch that an
  /// epoch's end falls into is filled from the next epoch: no row is dropped, each comes once an
  /// epoch.
  std::vector<std::int64_t> global_batch(std::int64_t step, std::int64_t batch_rows);

 private:
  const std::vector<std::uint64_t>& order_of(std::int64_t epoch);

  std::int64_t rows_;
  std::uint64_t seed_;
  std::int64_t epoch_ = -1;  // Of `order_`.
  std::vector<std::uint64_t> order_;
};

/// What replica `dp_rank` of `dp_size` takes of a global batch, in the batch's order. The shares of
/// all replicas are disjoint and together the batch; tensor-parallel ranks of a replica ask with
/// the same `dp_rank`. They are contiguous and differ in size by at most one row.
std::vector<std::int64_t> rank_share(std::span<const std::int64_t> indices, std::int64_t dp_rank,
                                     std::int64_t dp_size);

}  // namespace softcot
