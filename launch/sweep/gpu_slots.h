#pragma once

#include <string>
#include <vector>

#include "launch/sweep/work_runner.h"

namespace softcot {

/// This process among those of its job that start steps on one machine.
struct LocalGroup {
  int index = 0;
  int count = 1;
};

/// Whether the steps of a work look for GPUs with these settings.
bool looks_for_gpus(const Settings& settings);

/// CUDA_VISIBLE_DEVICES of each of the `options.jobs` steps that this process runs at a time: the
/// machine's slots, jobs × group.count, have options.ranks GPUs each, in the order of `gpus`.
/// A machine's only slot gets no list: it may use all GPUs, and its launcher other machines, too.
/// Throws kResources when several slots have too few. Plain arithmetic.
std::vector<std::string> divide_gpus(const std::vector<std::string>& gpus,
                                     const WorkOptions& options, const LocalGroup& group);

/// The same for the GPUs that this process sees; empty, which leaves the steps' environment as it
/// is, where no work looks for GPUs or there is none. Throws kResources when the driver reports an
/// error, too. Local.
std::vector<std::string> gpus_of_slots(const std::vector<Work>& works, const WorkOptions& options,
                                       const LocalGroup& group);

}  // namespace softcot
