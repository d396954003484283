#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/row.h"
#include "data/thought_cache_reader.h"
#include "model/soft_prompt.h"
#include "trainer/row_pieces.h"
#include "trainer/train_step.h"

namespace softcot {

/// The same row in the words of the model.
SoftRow to_soft_row(const Row& row);

/// Rows and, of methods with an assistant, its cached states at their placeholders.
class ThoughtRows {
 public:
  /// Rows of a method without an assistant.
  explicit ThoughtRows(const std::vector<Row>& rows);
  /// records[i] is the row of the cache that belongs to rows[i]. Throws kCache unless they agree in
  /// thoughts and ids.
  ThoughtRows(const std::vector<Row>& rows, std::vector<std::int64_t> records, ThoughtCache cache);

  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  const SoftRow& row(std::int64_t index) const { return rows_[index]; }
  /// Width A of the states, 0 without any.
  std::int64_t width() const { return cache_ ? cache_->width() : 0; }
  /// The states of one row: [N, A] float32; undefined without any.
  at::Tensor thoughts(std::int64_t index);

  /// The rows of these indices, in batches as cut_rows() cuts them.
  std::vector<TrainBatch> batches(const std::vector<std::int64_t>& indices, std::int64_t pieces,
                                  std::int64_t tokens_in_flight);
  /// One replica's share of all rows, in batches of at most `batch_rows`.
  std::vector<TrainBatch> all(std::int64_t batch_rows, int dp_index, int dp_size);

 private:
  TrainBatch batch(std::span<const std::int64_t> indices);

  std::vector<SoftRow> rows_;
  std::vector<std::int64_t> records_;
  std::optional<ThoughtCache> cache_;
};

}  // namespace softcot
