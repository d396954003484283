#pragma once

#include <cstdint>
#include <vector>

namespace softcot {

/// Coconut and the ablations that its paper names (Hao et al., 2024, section 4.4).
enum class CoconutVariant {
  kCoconut,
  kNoCurriculum,    ///< The last stage from the first step on.
  kNoThought,       ///< The curriculum, with nothing in place of the hidden steps.
  kPauseAsThought,  ///< The curriculum, with one trained vector in place of each latent.
};

/// When the optimizer forgets its moments and steps.
enum class OptimizerReset {
  kStage,  ///< With each stage of the curriculum.
  kEpoch,  ///< With each epoch too, counted from the stage's first update.
  kNever,
};

/// The defaults are those of the authors' code for GSM8K (docs/methods.md names what differs).
struct CoconutOptions {
  CoconutVariant variant = CoconutVariant::kCoconut;
  std::int64_t latents_per_step = 2;  ///< The paper's c.
  std::int64_t max_stage = 3;
  bool final_stage = true;  ///< After max_stage one more, which hides every step.
  /// In the final stage a rationale of fewer than max_stage steps gets all latents too. In the
  /// stages before every rationale has those of the stage, however few steps it has.
  bool pad_latents = true;
  double epochs_per_stage = 3;       ///< But for the last stage, which ends with the training.
  std::int64_t steps_per_stage = 0;  ///< In optimizer steps; 0 goes by epochs.
  OptimizerReset optimizer_reset = OptimizerReset::kStage;
};

/// One part of a training run.
struct Stage {
  std::int64_t number = 0;
  std::int64_t end = 0;  ///< Optimizer steps made by its end, from the run's start.
  bool operator==(const Stage&) const = default;
};

/// Coconut's curriculum: in stage s the first s steps of a rationale give way to s · c latents.
/// Pure functions of the options.
class Curriculum {
 public:
  explicit Curriculum(const CoconutOptions& options) : options_(options) {}

  /// The number of the stage that a finished run ends with.
  std::int64_t last_stage() const { return options_.max_stage + (options_.final_stage ? 1 : 0); }
  /// Of a rationale of `steps`, how many are hidden, and how many latents stand there.
  std::int64_t hidden_steps(std::int64_t stage, std::int64_t steps) const;
  std::int64_t latents(std::int64_t stage, std::int64_t steps) const;
  /// Latents of a question whose rationale nobody knows.
  std::int64_t latents(std::int64_t stage) const;
  /// Whether the latents stand between the family's two markers.
  bool has_markers() const { return options_.variant != CoconutVariant::kNoThought; }

  /// The stages of a run of `total` optimizer steps, the last one ending there. Throws kUsage when
  /// they do not fit.
  std::vector<Stage> schedule(std::int64_t total, std::int64_t rows, std::int64_t batch) const;

 private:
  CoconutOptions options_;
};

}  // namespace softcot
