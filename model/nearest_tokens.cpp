#include "model/nearest_tokens.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace softcot {
namespace {

/// Bytes of embeddings widened to float32 at a time.
constexpr std::int64_t kChunkBytes = std::int64_t{32} << 20;
/// Similarity of places that no token fills: below every cosine.
constexpr double kNobody = -2.0;

struct Candidates {
  at::Tensor ids;         // [K, C]
  at::Tensor similarity;  // [K, C]
};

/// The best `count` of them, the nearest first.
Candidates best_of(const Candidates& all, std::int64_t count) {
  const auto [similarity, places] = all.similarity.topk(std::min(count, all.similarity.size(1)), 1);
  return {all.ids.gather(1, places), similarity};
}

Candidates joined(const std::vector<Candidates>& parts) {
  std::vector<at::Tensor> ids, similarity;
  for (const auto& part : parts) {
    ids.push_back(part.ids);
    similarity.push_back(part.similarity);
  }
  return {at::cat(ids, 1), at::cat(similarity, 1)};
}

/// All ranks' candidates; each brings `count`, places without a token included.
Candidates gathered(const Candidates& mine, std::int64_t count, Communicator& group) {
  const std::int64_t rows = mine.ids.size(0);
  auto ids = at::full({1, rows, count}, -1, mine.ids.options());
  auto similarity = at::full({1, rows, count}, kNobody, mine.similarity.options());
  ids[0].narrow(1, 0, mine.ids.size(1)).copy_(mine.ids);
  similarity[0].narrow(1, 0, mine.ids.size(1)).copy_(mine.similarity);
  return {group.all_gather(ids).transpose(0, 1).flatten(1),
          group.all_gather(similarity).transpose(0, 1).flatten(1)};
}

}  // namespace

NearestTokens nearest_tokens(const at::Tensor& vectors, std::int64_t count,
                             const VocabularyShard& shard, Communicator& group) {
  const at::NoGradGuard no_grad;
  const auto norm_of = [](const at::Tensor& rows) { return rows.norm(2, {1}, true); };
  const auto directions = vectors.to(shard.head.device(), at::kFloat);
  const auto queries = directions / norm_of(directions).clamp_min(1e-20);
  const std::int64_t step = std::max<std::int64_t>(1, kChunkBytes / (4 * shard.head.size(1)));
  std::vector<Candidates> best;
  double norm_sum = 0;
  for (std::int64_t begin = 0; begin < shard.owned.size(); begin += step) {
    const std::int64_t rows = std::min(step, shard.owned.size() - begin);
    const auto table = shard.head.narrow(0, begin, rows).to(at::kFloat);
    const auto norms = norm_of(table);
    const auto cosines = at::matmul(queries, (table / norms.clamp_min(1e-20)).t());
    const auto ids = at::arange(shard.owned.begin + begin, shard.owned.begin + begin + rows,
                                cosines.options().dtype(at::kLong));
    best.push_back(best_of({ids.expand_as(cosines), cosines}, count));
    norm_sum += norms.sum().item<double>();
  }
  auto result = best_of(joined(best), count);
  if (group.size() > 1) result = best_of(gathered(result, count, group), count);
  const std::int64_t vocabulary = reduce_scalar(group, shard.owned.size(), ReduceOp::kSum);
  const std::int64_t kept = std::min(vocabulary, result.ids.size(1));
  return {.ids = result.ids.narrow(1, 0, kept),
          .similarity = result.similarity.narrow(1, 0, kept),
          .mean_norm =
              reduce_scalar(group, norm_sum, ReduceOp::kSum) / static_cast<double>(vocabulary)};
}

}  // namespace softcot
