#include "trainer/train_data.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "data/sampler.h"
#include "runtime/error.h"
#include "trainer/precompute.h"

namespace softcot {

SoftRow to_soft_row(const Row& row) {
  return {.id = row.id,
          .ids = row.ids,
          .thought_begin = row.thoughts.begin,
          .thought_count = row.thoughts.count,
          .target_begin = row.target_begin};
}

ThoughtRows::ThoughtRows(const std::vector<Row>& rows) {
  for (const Row& row : rows) rows_.push_back(to_soft_row(row));
}

ThoughtRows::ThoughtRows(const std::vector<Row>& rows, std::vector<std::int64_t> records,
                         ThoughtCache cache)
    : records_(std::move(records)), cache_(std::move(cache)) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.thoughts.count != cache_->thoughts() || records_[i] >= cache_->rows() ||
        cache_->row_id(records_[i]) != row_key(row.id)) {
      fail(ExitCode::kCache,
           {.what = "thought cache belongs to other rows than the data",
            .where = fmt::format("record {} ({})", records_[i], row.id),
            .expected = fmt::format("{} thoughts of this row", row.thoughts.count),
            .got = fmt::format("{} thoughts, {} rows", cache_->thoughts(), cache_->rows()),
            .fix = "run softcot precompute again"});
    }
    rows_.push_back(to_soft_row(row));
  }
}

at::Tensor ThoughtRows::thoughts(std::int64_t index) {
  return batch(std::span(&index, 1)).thoughts;
}

TrainBatch ThoughtRows::batch(std::span<const std::int64_t> indices) {
  TrainBatch batch;
  std::vector<std::int64_t> cached;
  for (const auto index : indices) {
    batch.rows.push_back(rows_[index]);
    if (cache_) cached.push_back(records_[index]);
  }
  if (!cache_) return batch;
  batch.thoughts = at::empty(
      {static_cast<std::int64_t>(indices.size()) * cache_->thoughts(), width()}, at::kFloat);
  cache_->read(cached, std::span(batch.thoughts.mutable_data_ptr<float>(),
                                 static_cast<std::size_t>(batch.thoughts.numel())));
  return batch;
}

std::vector<TrainBatch> ThoughtRows::batches(const std::vector<std::int64_t>& indices,
                                             std::int64_t pieces, std::int64_t tokens_in_flight) {
  std::vector<std::int64_t> lengths;
  for (const auto index : indices) {
    lengths.push_back(static_cast<std::int64_t>(rows_[index].ids.size()));
  }
  std::vector<TrainBatch> result;
  for (const Slice& slice : cut_rows(lengths, pieces, tokens_in_flight)) {
    result.push_back(batch(std::span(indices).subspan(slice.begin, slice.size())));
  }
  return result;
}

std::vector<TrainBatch> ThoughtRows::all(std::int64_t batch_rows, int dp_index, int dp_size) {
  std::vector<std::int64_t> indices(rows_.size());
  std::iota(indices.begin(), indices.end(), 0);
  const auto share = rank_share(indices, dp_index, dp_size);
  const auto count = static_cast<std::int64_t>(share.size());
  return batches(share, (count + batch_rows - 1) / batch_rows, kHostTokensInFlight);
}

}  // namespace softcot
