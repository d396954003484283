#pragma once

#include <nlohmann/json.hpp>

#include "launch/bench/bench_options.h"
#include "launch/bench/bench_rows.h"
#include "launch/options/run_options.h"
#include "runtime/process_world.h"

namespace softcot {

/// One process of a measurement. Everything must outlive it.
struct BenchPlace {
  const RunOptions& run;
  const BenchOptions& bench;
  const ProcessWorld& world;
  const ProcessGroups& groups;
  const BenchRows& rows;
};

// Each returns what it measured as fields of the command's line. Thoughts are random numbers: their
// values decide nothing that is measured. Collective over the world.

/// Training steps of run.train.batch rows.
nlohmann::ordered_json measure_train(const BenchPlace& place);

/// Filling a thought cache with all rows, which is then removed.
nlohmann::ordered_json measure_precompute(const BenchPlace& place);

/// Answers to the first run.train.batch rows, all at once, prompts included; what all prompts begin
/// with is computed once and not timed, as in an evaluation.
nlohmann::ordered_json measure_decode(const BenchPlace& place);

}  // namespace softcot
