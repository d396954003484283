#include "launch/bench/necessary_flops.h"

#include <algorithm>

namespace softcot {
namespace {

double number(std::int64_t value) { return static_cast<double>(value); }

/// Pairs (position, position it sees) of `count` positions that have `past` before them.
double pairs(std::int64_t past, std::int64_t count) {
  return number(count) * (number(past) + (number(count) + 1) / 2);
}

struct LayerFlops {
  explicit LayerFlops(const ModelConfig& model)
      : keys_values(2 * number(model.hidden) * 2 * number(model.kv_heads * model.head_width)),
        rest(2 * number(model.hidden) *
             (2 * number(model.query_heads * model.head_width) + 3 * number(model.feed_forward))),
        pair(4 * number(model.query_heads * model.head_width)) {}

  double keys_values;  ///< Of one token.
  double rest;         ///< Of one token: queries, attention's output, the feed-forward part.
  double pair;         ///< Of one position that sees another: its score, and the value added.
};

/// Forward over `tokens` positions after `past` others, whose keys and values are wanted of all
/// layers and whose last states at `wanted` positions, the last one seeing `seen` positions. The
/// last layer computes queries and what follows for those alone.
double forward_flops(const ModelConfig& model, std::int64_t past, std::int64_t tokens,
                     std::int64_t wanted, std::int64_t seen) {
  const LayerFlops layer(model);
  const double whole = number(model.layers - 1);
  const double all = whole * ((layer.keys_values + layer.rest) * number(tokens) +
                              layer.pair * pairs(past, tokens));
  return all + layer.keys_values * number(tokens) + layer.rest * number(wanted) +
         layer.pair * pairs(seen - wanted, wanted);
}

}  // namespace

double necessary_train_flops(const ModelConfig& model, std::int64_t shared,
                             const std::vector<Row>& rows) {
  const LayerFlops layer(model);
  double total = 0;
  for (const Row& row : rows) {
    const std::int64_t thoughts = row.thoughts.begin;
    const std::int64_t end = row.length() - 1;  // The last token predicts nothing.
    const std::int64_t targets = row.length() - row.target_begin;
    total += forward_flops(model, shared, thoughts - shared, 0, thoughts);
    const double suffix = forward_flops(model, thoughts, end - thoughts, targets, end);
    // Backward: each product once more, with its matrix transposed. Attention has the gradients of
    // scores and queries for each pair, those of keys and values for pairs within the suffix.
    const double own_pairs = number(model.layers - 1) * pairs(0, end - thoughts) +
                             pairs(end - thoughts - targets, targets);
    total += 2 * suffix + layer.pair * own_pairs;
    total += 2 * 2 * number(model.vocabulary) * number(model.hidden) * number(targets);
  }
  return total;
}

double necessary_precompute_flops(const ModelConfig& model, std::int64_t shared,
                                  const std::vector<Row>& rows) {
  double total = 0;
  for (const Row& row : rows) {
    total += forward_flops(model, shared, row.length() - shared, row.thoughts.count, row.length());
  }
  return total;
}

}  // namespace softcot
