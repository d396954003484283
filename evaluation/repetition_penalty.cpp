#include "evaluation/repetition_penalty.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>

#include "runtime/to_device.h"

namespace softcot {

void CountedTokens::add(std::int64_t id) {
  const auto place = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (place == ids_.end() || *place != id) ids_.insert(place, id);
}

CountedTokens counted_prompt(const SoftRow& prompt, const SamplingOptions& options) {
  CountedTokens counted;
  if (!options.penalizes() || options.repetition_scope != RepetitionScope::kAll) return counted;
  const std::int64_t thought_end = prompt.thought_begin + prompt.thought_count;
  for (std::int64_t t = 0; t < prompt.target_begin; ++t) {
    const bool placeholder = t >= prompt.thought_begin && t < thought_end;
    if (!placeholder) counted.add(prompt.ids[static_cast<std::size_t>(t)]);
  }
  return counted;
}

void penalize_repetitions(const at::Tensor& logits,
                          const std::vector<const CountedTokens*>& counted, double penalty) {
  std::vector<std::int64_t> rows, ids;
  for (std::size_t b = 0; b < counted.size(); ++b) {
    rows.insert(rows.end(), counted[b]->ids().size(), static_cast<std::int64_t>(b));
    ids.insert(ids.end(), counted[b]->ids().begin(), counted[b]->ids().end());
  }
  if (ids.empty()) return;
  const c10::List<std::optional<at::Tensor>> places(
      {to_device(rows, logits.device()), to_device(ids, logits.device())});
  const auto before = logits.index(places);
  logits.index_put_(places, at::where(before.lt(0), before * penalty, before / penalty));
}

}  // namespace softcot
