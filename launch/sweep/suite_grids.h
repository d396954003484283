#pragma once

#include <vector>

#include "evaluation/grid.h"
#include "launch/sweep/suite_table.h"

namespace softcot {

/// What a suite shows, in this order: all methods on all tasks, where there are several; each task
/// in detail; who does what on tasks that it was not trained on; votes among samples.
std::vector<Grid> suite_grids(const Suite& suite, const SuiteTable& table);

}  // namespace softcot
