#include "launch/plan/workload.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace softcot {
namespace {

bool in_layers(const WeightRule& rule) {
  return std::string(rule.name).find("{}") != std::string::npos;
}

/// Tokens between the last placeholder and the first target: an end marker and the beginning of
/// the backbone's turn.
constexpr std::int64_t kBetween = 4;

}  // namespace

Piece make_piece(const Workload& work, const std::vector<RowShape>& rows) {
  Piece piece;
  for (const RowShape& row : rows) {
    const bool placed = row.thoughts > 0;
    const std::int64_t fixed = placed ? row.thought_begin : row.tokens - row.targets - 1;
    const std::int64_t shared =
        work.shares_prefix() && work.shared_tokens <= fixed ? work.shared_tokens : 0;
    const bool freezes = placed && work.frozen_prefix && work.frozen_backbone();
    const std::int64_t begin = freezes ? std::max(shared, row.thought_begin) : shared;
    const std::int64_t end = std::max(begin, row.tokens - 1);  // the last one predicts nothing
    const std::int64_t frozen = begin - shared, tokens = end - begin;
    const auto pairs = [](std::int64_t past, std::int64_t count) {
      const auto new_ones = static_cast<double>(count);
      return new_ones * (static_cast<double>(past) + (new_ones + 1) / 2);
    };
    piece.frozen_tokens += frozen;
    piece.tokens += tokens;
    piece.scored += work.target_logits ? row.targets : tokens;
    piece.frozen_pairs += pairs(shared, frozen);
    piece.pairs += pairs(begin, tokens);
    piece.keys += end;
    if (end > piece.longest_context) {
      piece.longest_context = end;
      piece.longest_tokens = tokens;
    }
  }
  return piece;
}

StepPieces::StepPieces(const Workload& work, int dp)
    : work_(work), dp_(dp), sampler_(static_cast<std::int64_t>(work.rows.size()), work.seed) {}

std::vector<std::vector<Piece>> StepPieces::of_step(std::int64_t step) {
  const auto batch = sampler_.global_batch(step, work_.batch);
  std::vector<std::vector<Piece>> replicas;
  for (int r = 0; r < dp_; ++r) {
    const auto share = rank_share(batch, r, dp_);
    std::vector<std::int64_t> lengths;
    for (const auto index : share)
      lengths.push_back(work_.rows[static_cast<std::size_t>(index)].tokens);
    std::vector<Piece> pieces;
    for (const Slice& slice : cut_rows(lengths, work_.accumulation, work_.tokens_in_flight)) {
      std::vector<RowShape> rows;
      for (std::int64_t i = slice.begin; i < slice.end; ++i) {
        rows.push_back(work_.rows[static_cast<std::size_t>(share[static_cast<std::size_t>(i)])]);
      }
      pieces.push_back(make_piece(work_, rows));
    }
    replicas.push_back(std::move(pieces));
  }
  return replicas;
}

std::vector<RowShape> typical_rows(std::int64_t mean_tokens, std::int64_t longest,
                                   std::int64_t mean_targets, std::int64_t thoughts) {
  // Quantiles of a + b · Exponential(1): their mean is a + b, the last of them the longest row.
  constexpr int kRows = 1000;
  const double last = std::log(2.0 * kRows);
  const double b = static_cast<double>(longest - mean_tokens) / (last - 1);
  const double a = static_cast<double>(mean_tokens) - b;
  std::vector<RowShape> rows;
  for (int i = 0; i < kRows; ++i) {
    const double excess = -std::log(1.0 - (i + 0.5) / kRows);
    RowShape row;
    row.tokens = std::lround(a + b * excess);
    row.thoughts = thoughts;
    row.targets = std::max<std::int64_t>(1, row.tokens * mean_targets / mean_tokens);
    row.thought_begin = std::max<std::int64_t>(0, row.tokens - row.targets - kBetween - thoughts);
    rows.push_back(row);
  }
  return rows;
}

ShardSizes::ShardSizes(const ModelConfig& config, int tp)
    : layers(config.layers), hidden(config.hidden) {
  const ShardPlan plan(config, 0, tp);
  query = plan.range(Dim::kQuery).size();
  key_value = plan.range(Dim::kKeyValue).size();
  qkv = query + 2 * key_value;
  query_heads = plan.query_heads();
  feed_forward = plan.range(Dim::kFeedForward).size();
  vocabulary = plan.range(Dim::kVocabulary).size();
  for (const WeightRule& rule : weight_rules(config)) {
    const std::int64_t copies = in_layers(rule) ? layers : 1;
    const std::int64_t mine = plan.range(rule.rows).size() * plan.range(rule.columns).size();
    const std::int64_t whole = plan.full(rule.rows) * plan.full(rule.columns);
    const bool vector = rule.columns == Dim::kOne;
    (vector ? vectors : in_layers(rule) ? layer_matrices : end_matrices) += mine * copies;
    // Columns of a matrix lie all over its part of the file.
    most_touched = std::max(most_touched, rule.cut == Cut::kColumns ? whole : mine);
    largest = std::max(largest, mine);
  }
}

std::vector<LoraMatrix> lora_matrices(const Workload& work, int tp) {
  const ShardPlan plan(work.backbone, 0, tp);
  std::vector<LoraMatrix> matrices;
  for (const WeightRule& rule : weight_rules(work.backbone)) {
    const std::string name = rule.name;
    for (const std::string& target : work.lora_targets) {
      if (name.ends_with("." + target + ".weight")) {
        matrices.push_back({plan.range(rule.columns), plan.range(rule.rows),
                            plan.full(rule.columns), plan.full(rule.rows)});
      }
    }
  }
  return matrices;
}

TrainedSizes trained_sizes(const Workload& work, int tp) {
  TrainedSizes sizes;
  const auto add = [&](std::int64_t mine, std::int64_t whole, std::int64_t largest) {
    sizes.elements += mine;
    sizes.whole += whole;
    sizes.largest = std::max(sizes.largest, largest);
  };
  const std::int64_t hidden = work.backbone.hidden;
  if (work.method.projection) {
    const std::int64_t matrix = hidden * work.assistant_width;
    add(matrix + hidden, matrix + hidden, matrix);
  }
  if (work.method.task_vectors) {
    const std::int64_t vectors = work.rows.front().thoughts * hidden;
    add(vectors, vectors, vectors);
  }
  if (work.method.lora) {
    for (const LoraMatrix& matrix : lora_matrices(work, tp)) {
      const std::int64_t a = work.lora_rank * matrix.full_inputs;
      const std::int64_t b = work.lora_rank * matrix.full_outputs;
      sizes.lora += (a + b) * work.backbone.layers;
      add((a + b) * work.backbone.layers, (a + b) * work.backbone.layers, std::max(a, b));
    }
  }
  if (work.method.full) {
    const ShardSizes mine(work.backbone, tp);
    add(mine.elements(), parameter_count(work.backbone), mine.largest);
  }
  return sizes;
}

}  // namespace softcot
