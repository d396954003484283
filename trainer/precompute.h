#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "data/row.h"
#include "data/thought_cache_writer.h"
#include "model/transformer.h"
#include "runtime/process_world.h"

namespace softcot {

/// The frozen assistant reading rows that end with their last placeholder.
class ThoughtReader {
 public:
  /// Computes the keys and values of the beginning that all `rows` share. Both must outlive this
  /// object. Collective over the assistant's tp group.
  ThoughtReader(const Transformer& assistant, const std::vector<Row>& rows);

  /// Last-layer states, after the final norm, at the placeholders of rows[begin … end): [rows, N,
  /// A] float32 on the host. Collective over the assistant's tp group.
  at::Tensor read(std::int64_t begin, std::int64_t end) const;

 private:
  at::Tensor read_packed(std::int64_t begin, std::int64_t end) const;

  const Transformer& assistant_;
  const std::vector<Row>& rows_;
  std::int64_t shared_tokens_ = 0;
  SharedSegment shared_;
};

/// Where this rank's time went while it filled blocks of a cache.
struct FillSeconds {
  double reading = 0;  ///< In the assistant.
  double writing = 0;  ///< Of blocks to disk.
};

/// Fills the missing blocks of a cache: every replica takes the next block as soon as it is free.
/// `progress(blocks)` is called on every rank whenever it takes a block, with the number of blocks
/// that were taken before on any rank, and at the end with their number. Collective over the world.
FillSeconds fill_thought_cache(const ThoughtReader& reader, const std::vector<Row>& rows,
                               const ThoughtCacheWriter& writer,
                               const std::vector<std::int64_t>& blocks, const ProcessWorld& world,
                               const ProcessGroups& groups,
                               const std::function<void(std::int64_t)>& progress);

/// The number that ties a cached row to its record: a hash of the record's id.
std::uint64_t row_key(const std::string& id);

}  // namespace softcot
