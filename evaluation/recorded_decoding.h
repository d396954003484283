#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "model/transformer.h"
#include "runtime/device_graph.h"

namespace softcot {

/// Decoding steps on a device, each recorded when first needed and then repeated: a step is some 20
/// kernels a layer, which take the host longer to start than the device to do.
class RecordedDecoding {
 public:
  /// Null where steps cannot be recorded: on the host, with tensor parallelism (collectives are not
  /// recorded), where attention does not read slots in place. `slots` are parts of one memory, each
  /// with room for `room` tokens; the last is used up for rows that are none. `backbone` must
  /// outlive this.
  static std::unique_ptr<RecordedDecoding> make(const Transformer& backbone,
                                                std::vector<SharedSegment> slots,
                                                std::int64_t room);

  /// One token `ids[b]` for each row, which has a slot as its own and no past: the logits after it,
  /// [B, V] float32 on the device, until the next call. Advances the slots.
  at::Tensor step(const std::vector<std::int64_t>& ids, const std::vector<PackedRow>& rows);

 private:
  struct Recording {
    at::Tensor input;   // [4, n] int64
    at::Tensor logits;  // [n, V]
    std::unique_ptr<DeviceGraph> graph;
  };

  RecordedDecoding(const Transformer& backbone, std::vector<SharedSegment> slots, std::int64_t room)
      : backbone_(backbone), slots_(std::move(slots)), room_(room) {}
  Recording& recording_of(std::int64_t rows);

  const Transformer& backbone_;
  std::vector<SharedSegment> slots_;
  std::int64_t room_;
  std::map<std::int64_t, Recording> recordings_;  // by the number of rows, a power of two
};

}  // namespace softcot
