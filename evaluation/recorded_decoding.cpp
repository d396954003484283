#include "evaluation/recorded_decoding.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <bit>
#include <utility>

namespace softcot {

std::unique_ptr<RecordedDecoding> RecordedDecoding::make(const Transformer& backbone,
                                                         std::vector<SharedSegment> slots,
                                                         std::int64_t room) {
  if (!backbone.decodes_in_place() || !DeviceGraph::make(backbone.device())) return nullptr;
  const auto& spare = *slots.back();
  // Numbers there become scores of no one, but must be numbers.
  spare.memory_keys().narrow(1, spare.begin(), room).zero_();
  spare.memory_values().narrow(1, spare.begin(), room).zero_();
  return std::unique_ptr<RecordedDecoding>(new RecordedDecoding(backbone, std::move(slots), room));
}

RecordedDecoding::Recording& RecordedDecoding::recording_of(std::int64_t rows) {
  Recording& recording = recordings_[rows];
  if (recording.graph) return recording;
  const auto& spare = *slots_.back();
  recording.input = at::zeros({4, rows}, at::TensorOptions(backbone_.device()).dtype(at::kLong));
  recording.input.narrow(0, 2, 2).fill_(spare.begin());
  recording.graph = DeviceGraph::make(backbone_.device());
  recording.graph->record([&] {
    const auto& in = recording.input;
    recording.logits =
        backbone_.logits(backbone_.decode(in[0], {in[1], in[2], in[3]}, spare, room_));
  });
  return recording;
}

at::Tensor RecordedDecoding::step(const std::vector<std::int64_t>& ids,
                                  const std::vector<PackedRow>& rows) {
  const at::NoGradGuard no_grad;
  const std::size_t count = std::bit_ceil(rows.size());
  std::vector<std::int64_t> input(4 * count, 0);
  const auto set = [&](std::size_t b, std::int64_t id, std::int64_t position, std::int64_t begin) {
    input[b] = id;
    input[count + b] = position;
    input[2 * count + b] = begin;
    input[3 * count + b] = begin + position;
  };
  for (std::size_t b = 0; b < count; ++b) {
    if (b < rows.size()) {
      set(b, ids[b], rows[b].own->tokens(), rows[b].own->begin());
    } else {
      set(b, 0, 0, slots_.back()->begin());
    }
  }
  Recording& recording = recording_of(static_cast<std::int64_t>(count));
  recording.input.copy_(at::tensor(input, at::kLong).view({4, -1}));
  recording.graph->replay();
  for (const auto& row : rows) row.own->advance(1);
  return recording.logits.narrow(0, 0, static_cast<std::int64_t>(rows.size()));
}

}  // namespace softcot
