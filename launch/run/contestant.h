#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/compat.h"
#include "launch/options/run_options.h"
#include "launch/run/method.h"
#include "trainer/curriculum.h"

namespace softcot {

/// A method as it is put to the test: of Coconut perhaps after an earlier stage.
struct Contestant {
  const Method* method;
  std::string name;  ///< Of its sample file.
  std::string title;
  std::optional<Stage> stage;
  bool greedy = false;  ///< At temperature 0, whatever the options say.
  ScoringQuirks quirks = {};
  std::string baseline = {};  ///< The sample file that it is compared with.
};

/// The run whose training is evaluated.
const std::filesystem::path& trained_folder(const RunOptions& run);

/// What is compared, in the order of the table: each method in each way of scoring, also greedily
/// or after each of Coconut's stages where that is asked for. Reads the run's newest checkpoint for
/// the stages; throws as load_trained does. Local.
std::vector<Contestant> all_contestants(const RunOptions& run);

}  // namespace softcot
