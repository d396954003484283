#include "model/token_scores.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>
#include <limits>

#include "model/linear.h"
#include "model/logits.h"
#include "model/tensor_parallel.h"

namespace softcot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ChunkScores {
  at::Tensor nll;       // [C]
  at::Tensor best;      // [C]
  at::Tensor mass;      // [C], log of the sum of exponentials
  at::Tensor d_hidden;  // [C, H], this rank's share; undefined unless wanted
};

ChunkScores score_chunk(const at::Tensor& hidden, const at::Tensor& targets,
                        const VocabularyShard& shard, Communicator& group, bool with_gradient) {
  auto logits = make_logits(hidden, shard.head);
  const auto [local_largest, local_best] = largest_logits(logits);
  auto largest = group.size() == 1 ? local_largest : local_largest.clone();
  group.all_reduce(largest, ReduceOp::kMax);
  // The id of the largest logit over the group, the lowest of equals.
  const std::int64_t nobody = std::numeric_limits<std::int64_t>::max();
  auto best = (local_best + shard.owned.begin).masked_fill(local_largest < largest, nobody);
  group.all_reduce(best, ReduceOp::kMin);

  const auto elsewhere = (targets < shard.owned.begin).logical_or(targets >= shard.owned.end);
  const auto local = (targets - shard.owned.begin).masked_fill(elsewhere, -1);
  auto target_logit = logits.gather(1, local.clamp_min(0).unsqueeze(1)).squeeze(1).to(at::kFloat);
  target_logit = (target_logit - largest).masked_fill(elsewhere, 0);
  group.all_reduce(target_logit, ReduceOp::kSum);
  auto mass = exponential_sums(logits, largest);
  group.all_reduce(mass, ReduceOp::kSum);

  ChunkScores scores{mass.log() - target_logit, best, mass.log() + largest, {}};
  if (!with_gradient) return scores;
  auto d_logits = likelihood_gradient(logits, largest, mass, local);
  if (!hidden.is_cpu()) d_logits = d_logits.to(hidden.scalar_type());
  scores.d_hidden = matmul_plain(d_logits, shard.head).to(hidden.scalar_type());
  return scores;
}

struct Result {
  at::Tensor nll, best, mass, d_hidden;
};

/// Positions whose logits exist at a time. Shards differ by one row at most, and every rank must
/// cut alike.
std::int64_t chunk_size(const VocabularyShard& shard, Communicator& group,
                        std::int64_t chunk_bytes) {
  const auto step = std::max<std::int64_t>(1, chunk_bytes / (4 * shard.owned.size()));
  return reduce_scalar(group, step, ReduceOp::kMin);
}

Result score_all(const at::Tensor& hidden, const at::Tensor& targets, const VocabularyShard& shard,
                 Communicator& group, std::int64_t chunk_bytes, bool with_gradient) {
  const std::int64_t step = chunk_size(shard, group, chunk_bytes);
  std::vector<at::Tensor> nll, best, mass, d_hidden;
  for (std::int64_t at = 0; at < hidden.size(0); at += step) {
    const std::int64_t count = std::min(step, hidden.size(0) - at);
    auto chunk = score_chunk(hidden.narrow(0, at, count), targets.narrow(0, at, count), shard,
                             group, with_gradient);
    nll.push_back(chunk.nll);
    best.push_back(chunk.best);
    mass.push_back(chunk.mass);
    if (with_gradient) d_hidden.push_back(chunk.d_hidden);
  }
  if (nll.empty()) {
    const auto none = at::empty({0}, hidden.options().dtype(at::kFloat));
    return {none, at::empty({0}, targets.options()), none, at::zeros_like(hidden)};
  }
  return {at::cat(nll), at::cat(best), at::cat(mass),
          with_gradient ? at::cat(d_hidden) : at::Tensor()};
}

struct ScoreFunction : torch::autograd::Function<ScoreFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& targets, const VocabularyShard& shard,
                               Communicator* group, std::int64_t chunk_bytes) {
    const auto result = score_all(hidden, targets, shard, *group, chunk_bytes, true);
    context->save_for_backward({result.d_hidden});
    context->mark_non_differentiable({result.best});
    return {result.nll, result.best};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto d_hidden = context->get_saved_variables()[0];
    const auto scale = gradients[0].unsqueeze(1).to(d_hidden.scalar_type());
    return {d_hidden * scale, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// The same for a head that is trained too: the logits are made again in the backward pass, where
/// the scale of each row's gradient is known.
struct TrainedScoreFunction : torch::autograd::Function<TrainedScoreFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& head, const at::Tensor& targets, Slice owned,
                               Communicator* group, std::int64_t chunk_bytes) {
    const VocabularyShard shard{head, owned};
    const auto result = score_all(hidden, targets, shard, *group, chunk_bytes, false);
    context->save_for_backward({hidden, head, targets, result.mass});
    context->saved_data["begin"] = owned.begin;
    context->saved_data["chunk"] = chunk_size(shard, *group, chunk_bytes);
    context->mark_non_differentiable({result.best});
    return {result.nll, result.best};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &hidden = saved[0], &head = saved[1], &targets = saved[2], &mass = saved[3];
    const std::int64_t begin = context->saved_data["begin"].toInt();
    const std::int64_t step = context->saved_data["chunk"].toInt();
    auto d_hidden = at::zeros_like(hidden);
    auto d_head = at::zeros_like(head);
    for (std::int64_t at = 0; at < hidden.size(0); at += step) {
      const std::int64_t count = std::min(step, hidden.size(0) - at);
      const auto rows = hidden.narrow(0, at, count);
      const auto scale = gradients[0].narrow(0, at, count).unsqueeze(1);
      auto d_logits = at::matmul(rows, head.t()).sub_(mass.narrow(0, at, count).unsqueeze(1));
      d_logits.exp_();
      const auto local = targets.narrow(0, at, count) - begin;
      const auto elsewhere = (local < 0).logical_or(local >= head.size(0));
      const auto minus_one = elsewhere.to(at::kFloat).sub_(1.0).unsqueeze(1);
      d_logits.scatter_add_(1, local.masked_fill(elsewhere, 0).unsqueeze(1), minus_one);
      d_logits.mul_(scale);
      auto d_rows = d_hidden.narrow(0, at, count);
      at::mm_out(d_rows, d_logits, head);
      d_head.addmm_(d_logits.t(), rows);
    }
    return {d_hidden, d_head, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

TokenScores score_targets(const at::Tensor& hidden, const at::Tensor& targets,
                          const VocabularyShard& shard, Communicator& group,
                          std::int64_t chunk_bytes) {
  if (at::GradMode::is_enabled() && shard.head.requires_grad()) {
    const auto outputs = TrainedScoreFunction::apply(copy_to_group(hidden, group), shard.head,
                                                     targets, shard.owned, &group, chunk_bytes);
    return {outputs[0], outputs[1]};
  }
  if (at::GradMode::is_enabled() && hidden.requires_grad()) {
    const auto outputs =
        ScoreFunction::apply(copy_to_group(hidden, group), targets, shard, &group, chunk_bytes);
    return {outputs[0], outputs[1]};
  }
  const auto result = score_all(hidden, targets, shard, group, chunk_bytes, false);
  return {result.nll, result.best};
}

}  // namespace softcot
