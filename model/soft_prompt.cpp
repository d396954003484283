#include "model/soft_prompt.h"

#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <utility>

#include "runtime/error.h"
#include "runtime/to_device.h"

namespace softcot {
namespace {

constexpr std::int64_t kPadding = 0;

std::int64_t length(const SoftRow& row) { return static_cast<std::int64_t>(row.ids.size()); }

void require_well_formed(const SoftRow& row) {
  const std::int64_t thoughts_end = row.thought_begin + row.thought_count;
  const bool good = row.target_begin >= 1 && row.target_begin <= length(row) &&
                    row.thought_begin >= 0 && row.thought_count >= 0 &&
                    (row.thought_count == 0 || thoughts_end <= row.target_begin);
  if (!good) {
    fail(ExitCode::kInternal,
         {.what = "row with thoughts or targets out of place", .where = row.id});
  }
}

/// Makes all rows as long as the longest.
void pad(const std::vector<std::int64_t>& begin, std::vector<std::int64_t>& end) {
  std::int64_t longest = 0;
  for (std::size_t r = 0; r < end.size(); ++r) longest = std::max(longest, end[r] - begin[r]);
  for (std::size_t r = 0; r < end.size(); ++r) end[r] = begin[r] + longest;
}

}  // namespace

SoftPromptModel::SoftPromptModel(const Transformer& backbone, WorkSwitches switches)
    : backbone_(backbone), switches_(switches) {}

void SoftPromptModel::share_prefix(const std::vector<std::int64_t>& ids) {
  shared_ids_.clear();
  shared_.reset();
  if (!switches_.shared_prefix || ids.empty()) return;
  const at::NoGradGuard no_grad;
  auto segment = backbone_.new_segment(static_cast<std::int64_t>(ids.size()));
  const PackedRow row{.tokens = static_cast<std::int64_t>(ids.size()), .past = {}, .own = segment};
  backbone_.fill(backbone_.embed(to_device(ids, backbone_.device())), {row}, lora_);
  shared_ids_ = ids;
  shared_ = segment;
}

bool SoftPromptModel::begins_shared(const SoftRow& row) const {
  const std::int64_t fixed = row.thought_count > 0 ? row.thought_begin : row.target_begin - 1;
  return shared_ && !trains_backbone() && shared_tokens() <= fixed &&
         std::equal(shared_ids_.begin(), shared_ids_.end(), row.ids.begin());
}

/// Embeddings of ids[begin, end) of each row, thoughts in place; beyond a row's ids comes padding.
at::Tensor SoftPromptModel::packed_inputs(const std::vector<SoftRow>& rows,
                                          const std::vector<std::int64_t>& begin,
                                          const std::vector<std::int64_t>& end,
                                          const at::Tensor& soft) const {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> places;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto& row = rows[r];
    for (std::int64_t t = begin[r]; t < end[r]; ++t) {
      if (t >= row.thought_begin && t < row.thought_begin + row.thought_count) {
        places.push_back(static_cast<std::int64_t>(ids.size()));
      }
      ids.push_back(t < length(row) ? row.ids[t] : kPadding);
    }
  }
  const auto device = backbone_.device();
  auto inputs = backbone_.embed(to_device(ids, device));
  if (places.empty()) return inputs;
  if (!soft.defined() || soft.size(0) != static_cast<std::int64_t>(places.size())) {
    fail(ExitCode::kInternal, {.what = "soft thoughts do not match the placeholders",
                               .expected = std::to_string(places.size()),
                               .got = soft.defined() ? std::to_string(soft.size(0)) : "none"});
  }
  return inputs.index_copy(0, to_device(places, device),
                           to_device(soft, device).to(inputs.scalar_type()));
}

SoftPromptModel::Pass SoftPromptModel::behind_shared(const std::vector<SoftRow>& rows) const {
  Pass pass;
  for (const auto& row : rows) {
    require_well_formed(row);
    PackedRow packed;
    packed.noise = row.noise;
    const bool shares = begins_shared(row);
    if (shares) packed.past.push_back(shared_);
    pass.begin.push_back(shares ? shared_tokens() : 0);
    pass.end.push_back(std::max(pass.begin.back(), length(row) - 1));
    pass.packed.push_back(std::move(packed));
  }
  return pass;
}

void SoftPromptModel::freeze_prefixes(const std::vector<SoftRow>& rows, Pass& pass) const {
  std::vector<SoftRow> frozen_rows;
  Pass frozen;
  std::vector<std::int64_t> tokens;
  std::vector<std::size_t> places;  // in `rows`
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].thought_count == 0 || rows[r].thought_begin <= pass.begin[r]) continue;
    frozen_rows.push_back(rows[r]);
    frozen.begin.push_back(pass.begin[r]);
    frozen.end.push_back(rows[r].thought_begin);
    tokens.push_back(frozen.end.back() - frozen.begin.back());
    frozen.packed.push_back({.tokens = tokens.back(), .past = pass.packed[r].past, .own = {}});
    places.push_back(r);
  }
  if (places.empty()) return;
  const at::NoGradGuard no_grad;
  const auto segments = backbone_.new_segments(tokens);
  for (std::size_t f = 0; f < places.size(); ++f) {
    frozen.packed[f].own = segments[f];
    pass.packed[places[f]].past.push_back(segments[f]);
    pass.begin[places[f]] = frozen.end[f];
  }
  backbone_.fill(packed_inputs(frozen_rows, frozen.begin, frozen.end, {}), frozen.packed, lora_);
}

TokenScores SoftPromptModel::score(const std::vector<SoftRow>& rows, const at::Tensor& soft) const {
  const bool training = at::GradMode::is_enabled() && soft.defined() && soft.requires_grad();
  Pass pass = behind_shared(rows);
  if (training && switches_.frozen_prefix && !trains_backbone()) freeze_prefixes(rows, pass);
  if (!switches_.pack) pad(pass.begin, pass.end);

  std::vector<std::int64_t> places;   // packed index whose output predicts a target
  std::vector<std::int64_t> targets;  // that target
  std::int64_t at = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    pass.packed[r].tokens = pass.end[r] - pass.begin[r];
    for (std::int64_t t = rows[r].target_begin; t < length(rows[r]); ++t) {
      places.push_back(at + t - 1 - pass.begin[r]);
      targets.push_back(rows[r].ids[t]);
    }
    at += pass.packed[r].tokens;
  }
  const auto where = to_device(places, backbone_.device());
  const auto wanted = to_device(targets, backbone_.device());
  const auto hidden =
      backbone_.forward(packed_inputs(rows, pass.begin, pass.end, soft), pass.packed, lora_);
  if (switches_.target_logits) return backbone_.score(hidden.index_select(0, where), wanted);
  const auto everywhere =
      at::zeros({hidden.size(0)}, wanted.options()).index_copy(0, where, wanted);
  const auto all = backbone_.score(hidden, everywhere);
  return {all.nll.index_select(0, where), all.best.index_select(0, where)};
}

/// Hidden states after ids[0 … end) of the rows, [B, H]; keys and values too if `more` is given,
/// with room for so many tokens behind.
at::Tensor SoftPromptModel::run_prompts(const std::vector<SoftRow>& rows,
                                        const std::vector<std::int64_t>& end,
                                        const at::Tensor& soft, std::vector<PackedRow>& packed,
                                        std::optional<std::int64_t> more) const {
  Pass pass = behind_shared(rows);
  packed = std::move(pass.packed);
  std::vector<std::int64_t> last, room;
  std::int64_t at = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    packed[r].tokens = end[r] - pass.begin[r];
    room.push_back(packed[r].tokens + more.value_or(0));
    at += packed[r].tokens;
    last.push_back(at - 1);
  }
  if (more) {
    const auto segments = backbone_.new_segments(room);
    for (std::size_t r = 0; r < rows.size(); ++r) packed[r].own = segments[r];
  }
  const auto hidden = backbone_.forward(packed_inputs(rows, pass.begin, end, soft), packed, lora_);
  return hidden.index_select(0, to_device(last, hidden.device()));
}

at::Tensor SoftPromptModel::prefill(const std::vector<SoftRow>& rows, const at::Tensor& soft,
                                    std::vector<PackedRow>& cached, std::int64_t more) const {
  const at::NoGradGuard no_grad;
  std::vector<std::int64_t> end;
  for (const auto& row : rows) end.push_back(row.target_begin);
  return run_prompts(rows, end, soft, cached, more);
}

at::Tensor SoftPromptModel::hidden_after(const std::vector<SoftRow>& rows,
                                         const std::vector<std::int64_t>& tokens,
                                         const at::Tensor& soft) const {
  std::vector<PackedRow> packed;
  return run_prompts(rows, tokens, soft, packed, std::nullopt);
}

}  // namespace softcot
