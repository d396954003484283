#include "evaluation/prompt_reader.h"

#include <ATen/Functions.h>
#include <algorithm>
#include <utility>

namespace softcot {
namespace {

/// Tokens of prompts that a device reads at once: enough for its products.
constexpr std::int64_t kDevicePromptTokens = 4096;

bool same_prompt(const GenerationRequest& a, const GenerationRequest& b) {
  if (!a.soft.is_same(b.soft)) return false;
  if (a.prompt == b.prompt) return true;
  const SoftRow& x = *a.prompt;
  const SoftRow& y = *b.prompt;
  const auto end = x.target_begin;
  return end == y.target_begin && x.thought_begin == y.thought_begin &&
         x.thought_count == y.thought_count &&
         std::equal(x.ids.begin(), x.ids.begin() + end, y.ids.begin());
}

}  // namespace

std::vector<std::shared_ptr<const ReadPrompt>> PromptReader::read(std::size_t begin,
                                                                  std::size_t most) {
  const bool packs = !model_.backbone().device().is_cpu();
  std::int64_t room = packs ? kDevicePromptTokens : 0;
  std::vector<std::size_t> unread;  // Requests whose prompt is not that of the one before.
  std::vector<std::size_t> places;  // Of each request's prompt: 0 for the newest, then the unread.
  for (std::size_t i = begin; i < requests_.size() && places.size() < most; ++i) {
    if (!newest_request_ || !same_prompt(requests_[*newest_request_], requests_[i])) {
      room -= requests_[i].prompt->target_begin;
      if (room < 0 && !unread.empty()) break;
      unread.push_back(i);
      newest_request_ = i;
    }
    places.push_back(unread.size());
  }
  std::vector<std::shared_ptr<const ReadPrompt>> by_place = {newest_};
  if (!unread.empty()) read_together(unread, by_place);
  newest_ = by_place.back();
  std::vector<std::shared_ptr<const ReadPrompt>> prompts;
  for (const auto place : places) prompts.push_back(by_place[place]);
  return prompts;
}

void PromptReader::read_together(const std::vector<std::size_t>& requests,
                                 std::vector<std::shared_ptr<const ReadPrompt>>& prompts) {
  std::vector<SoftRow> rows;
  std::vector<at::Tensor> soft;
  for (const auto i : requests) {
    rows.push_back(*requests_[i].prompt);
    if (requests_[i].soft.defined()) soft.push_back(requests_[i].soft);
  }
  std::vector<PackedRow> packed;
  const auto hidden = model_.prefill(rows, soft.empty() ? at::Tensor() : at::cat(soft), packed);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    tokens_ += packed[r].tokens;
    auto segments = std::move(packed[r].past);
    segments.push_back(std::move(packed[r].own));
    const auto state = hidden.narrow(0, static_cast<std::int64_t>(r), 1);
    prompts.push_back(std::make_shared<ReadPrompt>(ReadPrompt{std::move(segments), state}));
  }
}

}  // namespace softcot
