#pragma once

#include <string>
#include <vector>

#include "launch/suite_table.h"

namespace softcot {

/// A heading and lines of cells as people read them; the first cell of each line is its label.
struct SuiteGrid {
  std::string title;
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> lines;  ///< Each as long as `heads`.
};

/// What a suite shows, in this order: all methods on all tasks, where there are several; each task
/// in detail; who does what on tasks that it was not trained on; votes among samples.
std::vector<SuiteGrid> suite_grids(const Suite& suite, const SuiteTable& table);

}  // namespace softcot
