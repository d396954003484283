#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/row.h"
#include "data/thought_cache_reader.h"
#include "model/soft_prompt.h"
#include "trainer/train_step.h"

namespace softcot {

/// The same row in the words of the model.
SoftRow to_soft_row(const Row& row);

/// Rows and, from the cache, the assistant's states at their placeholders.
class ThoughtRows {
 public:
  /// records[i] is the row of the cache that belongs to rows[i]. Throws kCache unless they agree in
  /// thoughts and ids.
  ThoughtRows(const std::vector<Row>& rows, std::vector<std::int64_t> records, ThoughtCache cache);

  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  const SoftRow& row(std::int64_t index) const { return rows_[index]; }
  std::int64_t width() const { return cache_.width(); }
  /// The states of one row: [N, A] float32.
  at::Tensor thoughts(std::int64_t index);

  /// The rows of these indices, in `pieces` batches of nearly equal size; fewer when there are
  /// fewer rows.
  std::vector<TrainBatch> batches(const std::vector<std::int64_t>& indices, std::int64_t pieces);
  /// One replica's share of all rows, in batches of at most `batch_rows`.
  std::vector<TrainBatch> all(std::int64_t batch_rows, int dp_index, int dp_size);

 private:
  TrainBatch batch(std::span<const std::int64_t> indices);

  std::vector<SoftRow> rows_;
  std::vector<std::int64_t> records_;
  ThoughtCache cache_;
};

}  // namespace softcot
