#include "trainer/precompute.h"

#include <ATen/core/grad_mode.h>
#include <span>

#include "runtime/hash.h"
#include "runtime/stopwatch.h"
#include "runtime/to_device.h"
#include "runtime/work_queue.h"

namespace softcot {
namespace {

/// Packed tokens forwarded together: enough to fill the machine, few enough to bound memory.
constexpr std::int64_t kPackedTokens = 4096;

/// The next position of the queue, the same on all tp ranks of a replica.
std::int64_t take(WorkQueue& queue, const ProcessGroups& groups) {
  auto taken = at::zeros({1}, at::kLong);
  if (groups.tp_index == 0) taken[0] = queue.next();
  groups.tp->broadcast(taken, 0);
  return taken.item<std::int64_t>();
}

}  // namespace

std::uint64_t row_key(const std::string& id) { return hash_number(id); }

ThoughtReader::ThoughtReader(const Transformer& assistant, const std::vector<Row>& rows)
    : assistant_(assistant), rows_(rows), shared_tokens_(longest_common_prefix(rows)) {
  if (shared_tokens_ == 0) return;
  const at::NoGradGuard no_grad;
  const std::vector<std::int64_t> ids(rows[0].ids.begin(), rows[0].ids.begin() + shared_tokens_);
  auto segment = assistant_.new_segment(shared_tokens_);
  assistant_.fill(assistant_.embed(to_device(ids, assistant_.device())),
                  {{.tokens = shared_tokens_, .past = {}, .own = segment}});
  shared_ = segment;
}

at::Tensor ThoughtReader::read(std::int64_t begin, std::int64_t end) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  while (begin < end) {
    std::int64_t stop = begin;
    std::int64_t tokens = 0;
    do {
      tokens += rows_[stop++].length() - shared_tokens_;
    } while (stop < end && tokens + rows_[stop].length() - shared_tokens_ <= kPackedTokens);
    parts.push_back(read_packed(begin, stop));
    begin = stop;
  }
  return at::cat(parts);
}

at::Tensor ThoughtReader::read_packed(std::int64_t begin, std::int64_t end) const {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> places;
  std::vector<PackedRow> packed;
  for (std::int64_t r = begin; r < end; ++r) {
    const Row& row = rows_[r];
    const auto first = static_cast<std::int64_t>(ids.size()) - shared_tokens_;
    for (std::int64_t n = 0; n < row.thoughts.count; ++n) {
      places.push_back(first + row.thoughts.begin + n);
    }
    ids.insert(ids.end(), row.ids.begin() + shared_tokens_, row.ids.end());
    packed.push_back({.tokens = row.length() - shared_tokens_, .past = {}, .own = {}});
    if (shared_) packed.back().past.push_back(shared_);
  }
  const auto device = assistant_.device();
  const auto hidden = assistant_.forward(assistant_.embed(to_device(ids, device)), packed);
  const auto states = hidden.index_select(0, to_device(places, device));
  return states.to(at::kCPU, at::kFloat).view({end - begin, -1, hidden.size(1)});
}

FillSeconds fill_thought_cache(const ThoughtReader& reader, const std::vector<Row>& rows,
                               const ThoughtCacheWriter& writer,
                               const std::vector<std::int64_t>& blocks, const ProcessWorld& world,
                               const ProcessGroups& groups,
                               const std::function<void(std::int64_t)>& progress) {
  FillSeconds seconds;
  const auto& layout = writer.layout();
  const auto count = static_cast<std::int64_t>(blocks.size());
  WorkQueue queue(world);
  for (std::int64_t at = take(queue, groups); at < count; at = take(queue, groups)) {
    progress(at);
    const std::int64_t begin = layout.first_row(blocks[at]);
    const std::int64_t end = begin + layout.rows_in(blocks[at]);
    Stopwatch clock;
    const auto states = reader.read(begin, end).contiguous();
    clock.lap(seconds.reading);
    if (groups.tp_index != 0) continue;
    std::vector<std::uint64_t> keys;
    for (std::int64_t r = begin; r < end; ++r) keys.push_back(row_key(rows[r].id));
    writer.write_block(
        blocks[at],
        std::span(states.const_data_ptr<float>(), static_cast<std::size_t>(states.numel())), keys);
    clock.lap(seconds.writing);
  }
  groups.world->barrier();
  progress(count);
  return seconds;
}

}  // namespace softcot
