#pragma once

#include <cstdint>
#include <vector>

#include "launch/options/run_options.h"
#include "launch/run/run_data.h"
#include "trainer/curriculum.h"

namespace softcot {

/// The stages of a training on `rows` rows made of `split`: one, number 0, unless the method has a
/// curriculum. Throws kUsage for settings that cannot be trained through: stages of Coconut that do
/// not fit into the training or hide more steps than any rationale has, and a warm-up that lasts as
/// long as the training, so that the peak learning rate is never reached. Pure.
std::vector<Stage> training_stages(const RunOptions& run, const Split& split, std::int64_t rows);

}  // namespace softcot
