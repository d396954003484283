#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "runtime/communicator.h"
#include "trainer/optimizer.h"

namespace softcot {

/// Rows that a rank forwards at once, with the assistant's states at their placeholders.
struct TrainBatch {
  std::vector<SoftRow> rows;
  at::Tensor thoughts;  ///< [Σ N, A] float32, row after row; undefined without an assistant.
};

/// What one optimizer step did, equal on all ranks but for the seconds.
struct StepResult {
  double loss = 0;           ///< Mean negative log-likelihood over the targets of all ranks.
  double gradient_norm = 0;  ///< Before clipping.
  std::int64_t targets = 0;  ///< Over all ranks.
  std::int64_t tokens = 0;   ///< Of the rows, over all ranks.
  double forward_seconds = 0;
  double backward_seconds = 0;
  double reduce_seconds = 0;
  double update_seconds = 0;
};

/// One training step: make the placeholders' embeddings, read the rows, divide the summed loss by
/// the targets of all ranks, sum the gradients, clip, move what is trained.
class TrainStep {
 public:
  /// Everything must outlive this object. `dp` is the group of the ranks with the same shard.
  /// Throws kInternal when a trained tensor is on another device than the backbone: its gradients
  /// and its update would be computed there.
  TrainStep(const SoftPromptModel& model, const TrainedParts& parts, AdamW& optimizer,
            Communicator& dp);

  /// `batches` are this replica's share of the step's rows, the same on all its tp ranks; the share
  /// may be empty and of another size than other replicas'. Throws kNumerics on all ranks, before
  /// anything is updated, when the loss or gradient is not finite. Collective over dp × tp.
  StepResult run(const std::vector<TrainBatch>& batches, double learning_rate);

 private:
  /// Adds the batch's gradients, and its part of the loss to `shares`.
  void accumulate(const TrainBatch& batch, double divisor, StepResult& result,
                  std::vector<at::Tensor>& shares);
  void reduce_gradients(const std::vector<at::Tensor>& shares, StepResult& result);

  const SoftPromptModel& model_;
  const TrainedParts& parts_;
  AdamW& optimizer_;
  Communicator& dp_;
};

/// Mean negative log-likelihood per target of rows without training, over all ranks of dp.
/// `batches` are this replica's share. Throws kNumerics, on all ranks, where it is not finite.
/// Collective over dp × tp.
double heldout_loss(const SoftPromptModel& model, const TrainedParts& parts,
                    const std::vector<TrainBatch>& batches, Communicator& dp);

}  // namespace softcot
