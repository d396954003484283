#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/host_tensor.h"

namespace softcot {

/// All that a run needs to go on as if it had never stopped. Random numbers need no state of their
/// own: they are functions of seed, step and position (runtime/random.h).
struct TrainingState {
  std::uint64_t step = 0;  ///< Optimizer updates made.
  // For people: a resume computes its data from the step alone.
  std::uint64_t epoch = 0;         ///< The epoch that the next sample belongs to, from 0.
  std::uint64_t samples_seen = 0;  ///< Samples of that epoch used so far, over all replicas.
  /// Object that says what the run is: model hashes, effective configuration, method, versions.
  /// Compared on resume with check_compatible.
  nlohmann::json metadata = nlohmann::json::object();
  /// By name: "projection.weight" and the like in float32, "projection.weight.exp_avg", …
  std::map<std::string, HostTensor> tensors;
};

}  // namespace softcot
