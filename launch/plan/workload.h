#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/sampler.h"
#include "launch/run/method.h"
#include "model/model_config.h"
#include "model/shard_plan.h"
#include "trainer/row_pieces.h"

namespace softcot {

/// Token counts of one training row. A row is, in this order, the beginning that all rows share,
/// the rest of the prompt, N placeholders, what stands between them and the targets, the targets.
struct RowShape {
  std::int64_t tokens = 0;         ///< T, of the whole row.
  std::int64_t thought_begin = 0;  ///< Tokens before the first placeholder.
  std::int64_t thoughts = 0;       ///< N; 0 for a row without any.
  std::int64_t targets = 0;
};

/// One training run, as far as it decides memory and time.
struct Workload {
  ModelConfig backbone;
  std::int64_t assistant_width = 0;       ///< A
  std::int64_t assistant_vocabulary = 0;  ///< Of its tokenizer, which training holds too.
  Method method;
  std::int64_t weight_bytes = 4;       ///< Of a number of the backbone's matrices: 2 or 4.
  std::int64_t file_weight_bytes = 2;  ///< Of the same in the model's files.
  std::int64_t lora_rank = 0;
  std::vector<std::string> lora_targets;
  bool lora_dropout = false;

  std::vector<RowShape> rows;      ///< At least one, in the order of the data.
  std::int64_t shared_tokens = 0;  ///< What all rows begin with.
  std::int64_t steps = 1;
  std::int64_t batch = 4;                               ///< Rows of a step, over all replicas.
  std::int64_t accumulation = 0;                        ///< As train.accumulation.
  std::int64_t tokens_in_flight = kHostTokensInFlight;  ///< Of a piece, where that is 0.
  std::uint64_t seed = 0;                               ///< Of the order of rows.
  bool target_logits = true, frozen_prefix = true, shared_prefix = true;

  /// The backbone is frozen, so that what comes before the thoughts needs no gradients.
  bool frozen_backbone() const { return !method.lora && !method.full; }
  /// Keys and values of the shared beginning are kept for the whole run.
  bool shares_prefix() const { return shared_prefix && frozen_backbone() && shared_tokens > 0; }
};

/// Rows that a rank computes at once, with what is left out of them left out.
struct Piece {
  std::int64_t frozen_tokens = 0;    ///< Computed without gradients.
  std::int64_t tokens = 0;           ///< P: computed with gradients.
  std::int64_t scored = 0;           ///< Positions that have logits.
  std::int64_t longest_tokens = 0;   ///< Of `tokens`, those of the longest row,
  std::int64_t longest_context = 0;  ///< and the positions that its last token sees.
  double frozen_pairs = 0;           ///< Pairs (position, position it sees) in frozen tokens,
  double pairs = 0;                  ///< and in the others.
  std::int64_t keys = 0;             ///< Positions that `tokens` see, each row's counted once.
};

Piece make_piece(const Workload& work, const std::vector<RowShape>& rows);

/// The pieces that each of `dp` replicas computes in each step, as training draws and cuts them.
class StepPieces {
 public:
  /// `work` must outlive this object.
  StepPieces(const Workload& work, int dp);
  /// One list for each replica; empty lists where the batch has fewer rows than there are replicas.
  std::vector<std::vector<Piece>> of_step(std::int64_t step);

 private:
  const Workload& work_;
  int dp_;
  EpochSampler sampler_;
};

/// Rows without data to read them from: lengths with this mean and maximum whose excess over the
/// shortest falls off exponentially, as the rows of question sets roughly do, and targets in
/// proportion.
std::vector<RowShape> typical_rows(std::int64_t mean_tokens, std::int64_t longest,
                                   std::int64_t mean_targets, std::int64_t thoughts);

/// Numbers that one tp rank (the first, which has the most) holds of a model.
struct ShardSizes {
  ShardSizes(const ModelConfig& config, int tp);

  std::int64_t layers, hidden;
  std::int64_t qkv;                 ///< (Q_r + 2 K_r) · D
  std::int64_t query;               ///< Q_r · D
  std::int64_t query_heads;         ///< Q_r
  std::int64_t key_value;           ///< K_r · D
  std::int64_t feed_forward;        ///< F_r
  std::int64_t vocabulary;          ///< V_r
  std::int64_t layer_matrices = 0;  ///< Elements of the matrices of all layers.
  std::int64_t end_matrices = 0;    ///< Of the embedding, and the head where it is its own.
  std::int64_t vectors = 0;         ///< Of norms and biases, which are float32.
  std::int64_t most_touched = 0;    ///< Elements of a file that are read for one matrix, at most.
  std::int64_t largest = 0;         ///< Elements of the largest matrix.

  std::int64_t elements() const { return layer_matrices + end_matrices + vectors; }
};

/// Trained numbers of one rank: all float32.
struct TrainedSizes {
  std::int64_t elements = 0;  ///< On this rank.
  std::int64_t largest = 0;   ///< Of the largest tensor.
  std::int64_t whole = 0;     ///< Of all ranks of a replica together, each counted once.
  std::int64_t lora = 0;      ///< Of `elements`, those of LoRA's pairs.
};
TrainedSizes trained_sizes(const Workload& work, int tp);

/// Inputs and outputs of one matrix that LoRA changes, on one rank.
struct LoraMatrix {
  Slice inputs, outputs;
  std::int64_t full_inputs, full_outputs;
};
std::vector<LoraMatrix> lora_matrices(const Workload& work, int tp);

}  // namespace softcot
