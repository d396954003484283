#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "trainer/train_step.h"

namespace softcot {

/// One line of a run's metrics.
struct StepMetrics {
  std::int64_t step = 0;              ///< Updates made, this one included.
  double epoch = 0;                   ///< Passes over the rows so far.
  std::optional<std::int64_t> stage;  ///< Of a curriculum.
  double learning_rate = 0;
  double data_seconds = 0;
  StepResult result;
  std::optional<double> heldout_loss;  ///< After this step.

  double tokens_per_second() const;
};

/// `metrics.jsonl`: one JSON object a line, whole lines only, in order of steps. Local; one rank
/// writes. A line that cannot be written is warned about once and does not stop the training.
class MetricsLog {
 public:
  /// An empty path writes nothing.
  explicit MetricsLog(std::filesystem::path path);

  /// Forgets what a run that goes on from `step` writes again: the lines of later updates, and
  /// those of `step` that are not its update's. Throws kResources where that cannot be written.
  void drop_from_step(std::int64_t step);
  void write(const StepMetrics& metrics);
  /// The held-out loss before the first update, and before that of a later `stage` of a curriculum.
  void write_heldout(std::int64_t step, std::optional<std::int64_t> stage, double loss);
  /// Hash of the weights that were frozen and are as they were.
  void write_frozen(std::int64_t step, const std::string& hash);

 private:
  void append(const std::string& line);

  std::filesystem::path path_;
  bool warned_ = false;
};

/// Largest memory this process has held at once, in bytes.
std::int64_t peak_memory_bytes();

}  // namespace softcot
