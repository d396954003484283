#pragma once

#include <vector>

#include "launch/sweep/sweep.h"
#include "runtime/error.h"

namespace softcot {

/// What stands against a sweep although each command would accept its cells' settings: more layers
/// than the assistant has, more thoughts than there are positions, or task vectors to take them
/// from, a model, prompt or data file that is not there. Each once, with the first cell that has
/// it.
std::vector<Problem> problems_of_models(const Sweep& sweep);

}  // namespace softcot
