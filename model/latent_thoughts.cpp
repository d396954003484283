#include "model/latent_thoughts.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "runtime/to_device.h"

namespace softcot {
namespace {

/// The latents of each row so far, each [1, H].
using Latents = std::vector<std::vector<at::Tensor>>;

std::vector<std::size_t> rows_with_more(const std::vector<SoftRow>& rows, std::int64_t than) {
  std::vector<std::size_t> found;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].thought_count > than) found.push_back(r);
  }
  return found;
}

at::Tensor join(const Latents& latents, const std::vector<std::size_t>& of) {
  std::vector<at::Tensor> all;
  for (const auto r : of) all.insert(all.end(), latents[r].begin(), latents[r].end());
  return all.empty() ? at::Tensor() : at::cat(all);
}

void append(Latents& latents, const std::vector<std::size_t>& to, const at::Tensor& hidden) {
  for (std::size_t k = 0; k < to.size(); ++k) {
    latents[to[k]].push_back(hidden.narrow(0, static_cast<std::int64_t>(k), 1));
  }
}

Latents read_again(const SoftPromptModel& model, const std::vector<SoftRow>& rows,
                   std::int64_t most) {
  Latents latents(rows.size());
  for (std::int64_t i = 0; i < most; ++i) {
    const auto active = rows_with_more(rows, i);
    std::vector<SoftRow> prompts;
    std::vector<std::int64_t> tokens;
    for (const auto r : active) {
      prompts.push_back(rows[r]);
      tokens.push_back(rows[r].thought_begin + i);
    }
    append(latents, active, model.hidden_after(prompts, tokens, join(latents, active)));
  }
  return latents;
}

Latents read_on(const SoftPromptModel& model, const std::vector<SoftRow>& rows, std::int64_t most) {
  Latents latents(rows.size());
  auto active = rows_with_more(rows, 0);
  std::vector<SoftRow> prompts;
  for (const auto r : active) {
    prompts.push_back(rows[r]);
    prompts.back().target_begin = rows[r].thought_begin;
    prompts.back().thought_count = 0;
  }
  std::vector<PackedRow> caches;
  auto hidden = model.prefill(prompts, {}, caches, most - 1);
  append(latents, active, hidden);
  for (std::int64_t i = 1; i < most; ++i) {
    std::vector<std::size_t> going_on;
    std::vector<std::int64_t> kept;
    std::vector<PackedRow> steps;
    for (std::size_t k = 0; k < active.size(); ++k) {
      if (rows[active[k]].thought_count <= i) continue;
      going_on.push_back(active[k]);
      kept.push_back(static_cast<std::int64_t>(k));
      steps.push_back(caches[k]);
      steps.back().tokens = 1;
    }
    const auto inputs = hidden.index_select(0, to_device(kept, hidden.device()));
    hidden = model.backbone().forward(inputs, steps, model.lora());
    append(latents, going_on, hidden);
    active = std::move(going_on);
    caches = std::move(steps);
  }
  return latents;
}

}  // namespace

at::Tensor latent_thoughts(const SoftPromptModel& model, const std::vector<SoftRow>& rows) {
  std::int64_t most = 0;
  for (const auto& row : rows) most = std::max(most, row.thought_count);
  if (most == 0) return {};
  const auto latents =
      at::GradMode::is_enabled() ? read_again(model, rows, most) : read_on(model, rows, most);
  return join(latents, rows_with_more(rows, 0));
}

}  // namespace softcot
