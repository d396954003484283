#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launch/sweep/sweep.h"
#include "launch/sweep/sweep_cost.h"
#include "launch/sweep/sweep_plan.h"

namespace softcot {

/// What a sweep would do, for people: axes, cells with their state, what is shared, time and disk
/// for `jobs` works at a time. `measured` is what finished works took against their estimate, 0
/// where none are.
std::string sweep_preview(const Sweep& sweep, const SweepPlan& plan,
                          const std::vector<WorkCost>& costs, double measured, int jobs,
                          const std::filesystem::path& out);

/// How it ended: the number of cells that are done, and why others are not.
std::string sweep_summary(const Sweep& sweep, const SweepPlan& plan,
                          const std::filesystem::path& out);

}  // namespace softcot
