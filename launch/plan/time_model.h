#pragma once

#include <cstdint>
#include <vector>

#include "launch/plan/machine.h"
#include "launch/plan/workload.h"

namespace softcot {

/// Seconds of one optimizer step, by what they are spent on. Nothing overlaps.
struct StepTime {
  double compute = 0;  ///< Forward and backward pass of the slowest replica.
  double tp_sums = 0;  ///< Sums of activations over tensor-parallel ranks.
  double dp_sums = 0;  ///< Gradients summed, moved parameters gathered.
  double update = 0;
  double total() const { return compute + tp_sums + dp_sums + update; }
};

/// Floating-point operations of one rank for one piece, those of matrix products and attention, in
/// each pass over the layers' weights.
struct PieceFlops {
  double frozen = 0;  ///< Of the tokens without gradients.
  double forward =
      0;  ///< Of the others, with logits and, where the head is frozen, their gradient.
  double backward = 0;
  double total() const { return frozen + forward + backward; }
};
PieceFlops piece_flops(const Workload& work, int tp, const Piece& piece);

/// Seconds of a ring all-reduce of `bytes` over `ranks` that lie side by side.
double all_reduce_seconds(const Machine& machine, int ranks, bool within_node, double bytes);

/// A step whose replicas compute these pieces.
StepTime step_time(const Workload& work, const Machine& machine, int tp, int dp,
                   const std::vector<std::vector<Piece>>& replicas);

}  // namespace softcot
