#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "launch/plan/layouts.h"

namespace softcot {

/// Which layout to take, and why in one sentence.
struct Choice {
  std::size_t index = 0;
  std::string reason;
};
/// The fastest that fits, the smaller tp of two that differ by less than 1 %. Throws kResources
/// when none fits, with what is missing and what would make one fit.
Choice choose_layout(const Workload& work, const Machine& machine,
                     const std::vector<Layout>& layouts);

/// What the plan suffers from whatever the layout, one sentence each; often empty.
std::vector<std::string> plan_hints(const Workload& work, const Machine& machine);

}  // namespace softcot
