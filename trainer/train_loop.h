#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkpoints/reader.h"
#include "data/sampler.h"
#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "runtime/process_world.h"
#include "trainer/curriculum.h"
#include "trainer/loss_watch.h"
#include "trainer/metrics.h"
#include "trainer/tensorboard.h"
#include "trainer/train_data.h"
#include "trainer/train_options.h"
#include "trainer/train_step.h"

namespace softcot {

/// Where a run keeps what it makes.
struct TrainFiles {
  std::filesystem::path metrics;      ///< One JSON line a step (docs/file-formats.md).
  std::filesystem::path checkpoints;  ///< Folder of step-NNNNNNNN.
  /// Folder of TensorBoard's event files (trainer/tensorboard.h); empty for none.
  std::filesystem::path tensorboard = {};
};

enum class TrainEnd { kFinished, kStopped };

/// The rows of one stage of a run; most methods have a single stage, number 0.
struct TrainStage {
  Stage stage;
  ThoughtRows* rows = nullptr;
  ThoughtRows* heldout = nullptr;  ///< May be null.
};

/// Trains a method's parts over the rows of one dataset, stage after stage. The optimizer is reset
/// as TrainOptions::optimizer_reset says, and the last checkpoint of each stage stays. Every rank
/// of the world makes one and makes the same calls; rank 0 writes.
class TrainLoop {
 public:
  /// Everything passed by reference must outlive the loop, and the rows of `stages`, of which there
  /// is one at least. `identity` says what the run is: it is saved with every checkpoint and must
  /// be the same on resume.
  TrainLoop(const SoftPromptModel& model, const TrainedParts& parts, std::vector<TrainStage> stages,
            const TrainOptions& options, const ProcessGroups& groups, TrainFiles files,
            nlohmann::json identity);

  /// Goes on from the newest usable checkpoint; from the start when there is none. Throws
  /// kCheckpoint for a checkpoint of another run. Collective over the world.
  void resume();

  /// Trains to the end, or until `stop()` is true on any rank: then saves and returns kStopped.
  /// Throws kNumerics for a loss that is no number, naming step and rows, and for ranks that no
  /// longer hold the same (require_same_replicas), and kInternal, on all ranks, if a frozen weight
  /// has changed since the loop was made. Collective over the world.
  TrainEnd run(const std::function<bool()>& stop);

  std::int64_t step() const { return step_; }
  std::int64_t total() const { return stages_.back().stage.end; }

 private:
  const TrainStage& now() const { return stages_[stage_]; }
  void begin_stage();
  bool ends_stage() const { return step_ == now().stage.end; }
  /// Whether the next update is the first of an epoch of this stage, but not of the stage.
  bool begins_epoch() const;
  std::optional<std::int64_t> stage_number() const;
  /// One update, what is said of it, and the held-out loss after it where one is due.
  StepMetrics take_step(LossWatch& watch);
  StepResult run_step(double learning_rate, double& data_seconds);
  TrainEnd stop_here();
  bool stop_agreed(const std::function<bool()>& stop) const;
  std::string row_ids();
  std::uint64_t noise_of(const SoftRow& row) const;
  bool due(std::int64_t every) const;
  double evaluate();
  void evaluate_at_begin(MetricsLog& metrics, TensorboardLog& board);
  void save();
  void require_frozen() const;
  static void restore(const LoadedCheckpoint& loaded, const std::string& name, at::Tensor& whole);

  const SoftPromptModel& model_;
  const TrainedParts& parts_;
  std::vector<TrainStage> stages_;
  std::size_t stage_ = 0;
  TrainOptions options_;
  const ProcessGroups& groups_;
  TrainFiles files_;
  nlohmann::json identity_;
  std::string frozen_;                   // Hash of the backbone; empty when it is trained.
  std::optional<EpochSampler> sampler_;  // of the stage
  AdamW optimizer_;
  TrainStep train_step_;
  std::int64_t step_ = 0;
};

}  // namespace softcot
