#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace softcot::test {

/// What a finished training says it did.
struct TrainOutcome {
  std::vector<std::string> lines;  ///< Of each step, all that does not depend on the clock.
  std::vector<double> losses;
  std::vector<std::int64_t> targets;
  std::string state;  ///< The last checkpoint's tensors, byte for byte.
};

/// The lines of a run's metrics, without what depends on the clock.
std::vector<std::string> timeless_metrics(const std::filesystem::path& run);

/// Of a run folder, whose training had so many steps; anything missing fails the test.
TrainOutcome train_outcome(const std::filesystem::path& run, int steps);

std::filesystem::path checkpoint_folder(const std::filesystem::path& run, int step);

/// The two runs have done the same, bit for bit.
void expect_equal(const TrainOutcome& got, const TrainOutcome& expected);

}  // namespace softcot::test
