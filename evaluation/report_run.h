#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/result_table.h"

namespace softcot {

/// What one step's line of metrics.jsonl may hold.
struct RunStep {
  std::int64_t step = 0;
  std::int64_t stage = 0;  ///< Of a curriculum.
  std::optional<double> loss;
  std::optional<double> gradient_norm;
  std::optional<double> learning_rate;
  std::optional<double> tokens_per_second;
  std::optional<double> heldout_loss;
  std::optional<double> seconds;  ///< That its update took.

  bool operator==(const RunStep&) const = default;
};

/// Everything a report needs of a run folder. Parts that the run has not made yet are empty.
struct RunRecord {
  std::string name;  ///< The folder's.
  std::vector<RunStep> steps;
  std::string frozen_weights;  ///< Hash of those that a finished training left as they were.
  std::optional<Comparison> comparison;
  Provenance provenance;
  /// File name and text; of evaluate.cfg what `evaluate` uses.
  std::vector<std::pair<std::string, std::string>> configs;
  std::vector<MethodSamples> methods;  ///< In the table's order, then by name.
  std::vector<std::string> remarks;    ///< What was left out and why, in words for the reader.
};

/// The steps of a metrics.jsonl by number, and how many of its lines could not be read.
struct RunSteps {
  std::vector<RunStep> steps;
  std::string frozen_weights;
  std::size_t unreadable = 0;
};
RunSteps read_steps(const std::filesystem::path& metrics);

/// Reads config.cfg and evaluate.cfg, metrics.jsonl, results.json and samples/*.jsonl, each if it
/// is there. Lines of metrics that are no JSON objects with a step are left out and remarked on.
/// Throws kInput when the folder is missing or holds none of them, or when results.json or a sample
/// file is damaged.
RunRecord read_run(const std::filesystem::path& folder);

}  // namespace softcot
