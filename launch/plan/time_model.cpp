#include "launch/plan/time_model.h"

#include <algorithm>
#include <cmath>

namespace softcot {
namespace {

/// Numbers that AdamW reads and writes for each that it moves.
constexpr double kUpdateNumbers = 7;
constexpr double kFloat = 4;
/// A scalar or two that all replicas agree on: targets, loss, the norm.
constexpr int kAgreements = 4;

double number(std::int64_t value) { return static_cast<double>(value); }

}  // namespace

PieceFlops piece_flops(const Workload& work, int tp, const Piece& piece) {
  const ShardSizes sizes(work.backbone, tp);
  const double layers = number(sizes.layers);
  const double tokens = number(piece.tokens);
  const double of_token = 2 * number(sizes.layer_matrices);
  // Queries with keys and weights with values.
  const double of_pair = 4 * number(sizes.query) * layers;
  const double of_logits =
      2 * number(sizes.vocabulary) * number(sizes.hidden) * number(piece.scored);
  PieceFlops flops;
  flops.frozen = of_token * number(piece.frozen_tokens) + of_pair * piece.frozen_pairs;
  flops.forward = of_token * tokens + of_pair * piece.pairs + 2 * of_logits;
  // A frozen matrix has no gradient of its own. Attention makes 5 products backward for 2 forward.
  flops.backward = (work.method.full ? 2 : 1) * of_token * tokens + 2.5 * of_pair * piece.pairs;
  if (work.method.full) flops.backward += 2 * of_logits;  // logits again, the head's gradient
  if (work.method.lora) {
    for (const LoraMatrix& matrix : lora_matrices(work, tp)) {
      const double of_matrix = 2 * tokens * number(work.lora_rank) * layers *
                               number(matrix.inputs.size() + matrix.outputs.size());
      flops.forward += of_matrix;
      flops.backward += 2 * of_matrix;
    }
  }
  return flops;
}

double all_reduce_seconds(const Machine& machine, int ranks, bool within_node, double bytes) {
  if (ranks == 1) return 0;
  const double bandwidth = within_node ? machine.node_bandwidth : machine.network_bandwidth;
  const double latency = within_node ? machine.node_latency : machine.network_latency;
  const double hops = 2 * std::ceil(std::log2(ranks));
  return 2.0 * (ranks - 1) / ranks * bytes / bandwidth + hops * latency;
}

StepTime step_time(const Workload& work, const Machine& machine, int tp, int dp,
                   const std::vector<std::vector<Piece>>& replicas) {
  const ShardSizes sizes(work.backbone, tp);
  const TrainedSizes trained = trained_sizes(work, tp);
  const double flops_per_second = machine.peak_flops * machine.efficiency * machine.share();
  const double bytes_per_second = machine.memory_bandwidth * machine.share();
  const double number_bytes = machine.on_gpu() ? number(work.weight_bytes) : kFloat;
  const bool tp_in_node = tp <= machine.ranks_per_node() && machine.ranks_per_node() % tp == 0;
  const bool dp_in_node = machine.nodes == 1;

  const double layer_bytes = number(sizes.layer_matrices * work.weight_bytes);
  const double head_bytes = number(sizes.vocabulary * sizes.hidden * work.weight_bytes);
  // A pass reads its weights once, however few tokens it has.
  const auto pass_seconds = [&](double flops, double bytes) {
    return flops > 0 ? std::max(flops / flops_per_second, bytes / bytes_per_second) : 0;
  };
  StepTime step;
  for (const auto& pieces : replicas) {
    double compute = 0, sums = 0;
    for (const Piece& piece : pieces) {
      const PieceFlops flops = piece_flops(work, tp, piece);
      compute += pass_seconds(flops.frozen, layer_bytes) +
                 pass_seconds(flops.forward, layer_bytes + head_bytes) +
                 pass_seconds(flops.backward, layer_bytes);
      if (tp == 1) continue;
      const double layers = number(sizes.layers);
      const auto sum = [&](double tokens, double times) {
        const double bytes = tokens * number(sizes.hidden) * number_bytes;
        if (tokens > 0) sums += times * all_reduce_seconds(machine, tp, tp_in_node, bytes);
      };
      sum(number(piece.frozen_tokens), 2 * layers + 1);
      sum(number(piece.tokens), 4 * layers + 1);
      sum(number(piece.scored), 1);
    }
    if (compute + sums > step.compute + step.tp_sums) {
      step.compute = compute;
      step.tp_sums = sums;
    }
  }
  if (trained.lora > 0) {
    step.tp_sums += all_reduce_seconds(machine, tp, tp_in_node, number(trained.lora) * kFloat);
  }
  if (dp > 1) {
    const double bytes = number(trained.elements) * kFloat;
    // Gathering is one of the two halves of an all-reduce.
    step.dp_sums = 1.5 * all_reduce_seconds(machine, dp, dp_in_node, bytes) +
                   kAgreements * all_reduce_seconds(machine, dp, dp_in_node, 0);
  }
  step.update = number(trained.elements) / dp * kFloat * kUpdateNumbers / bytes_per_second;
  return step;
}

}  // namespace softcot
