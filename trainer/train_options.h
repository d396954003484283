#pragma once

#include <cstdint>

#include "checkpoints/retention.h"
#include "model/soft_prompt.h"
#include "trainer/curriculum.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"

namespace softcot {

struct TrainOptions {
  // What is learned.
  std::int64_t steps = 0;  ///< Optimizer steps; 0 = as many as `epochs` take.
  double epochs = 10.0;    ///< Passes over the rows, when `steps` is 0.
  std::int64_t batch = 4;  ///< Rows of one optimizer step, over all ranks.
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  OptimizerReset optimizer_reset = OptimizerReset::kStage;  ///< Decides where there are stages.
  std::uint64_t seed = 41;  ///< Of the projection's first weights and the order of rows.

  // How it is done; none of these changes the result but for rounding.
  std::int64_t accumulation =
      0;  ///< Pieces in which a rank computes its rows of a step; 0 = as row_pieces.h has it.
  WorkSwitches work;
  std::int64_t check_replicas_every = 100;  ///< Steps between comparisons of ranks; 0 = none.

  // What is kept.
  std::int64_t evaluate_every = 0;    ///< Steps between held-out losses; 0 = only first and last.
  std::int64_t checkpoint_every = 0;  ///< Steps between checkpoints; 0 = only the last.
  RetentionPolicy retention;
  bool tensorboard = true;  ///< Event files for TensorBoard beside the metrics.
};

/// The number of optimizer steps for so many rows.
std::int64_t total_steps(const TrainOptions& options, std::int64_t rows);

}  // namespace softcot
