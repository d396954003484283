#pragma once

#include <vector>

#include "launch/sweep/sweep_plan.h"

namespace softcot {

/// What a work is expected to take.
struct WorkCost {
  double seconds = 0;
  double bytes = 0;  ///< On disk.
};

/// A rough estimate for each work of the plan: multiply-adds and lengths of texts by rule of thumb,
/// at 50 GFLOP/s for each of this machine's cores (docs/performance.md) that one of `jobs` has.
/// Good to a factor of two or three. Reads configs and questions; throws as those do. Local.
std::vector<WorkCost> estimate_costs(const SweepPlan& plan, int jobs);

}  // namespace softcot
