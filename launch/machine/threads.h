#pragma once

#include "launch/command.h"
#include "launch/options/run_options.h"
#include "runtime/process_world.h"

namespace softcot {

/// Sets LibTorch's threads for this process: OMP_NUM_THREADS if it is set, else the processors this
/// process may use divided by the ranks on this machine, at least one.
void set_threads(const ProcessWorld& world);

/// set_threads, the collectives' deadline, the rank's device (put into the `load` of both models),
/// and the groups of this rank.
/// Collective over the world. Throws kUsage naming the first option on which the ranks disagree, as
/// they do when the machines of a job see different files or environments; and as choose_device and
/// ProcessWorld::use_nccl do.
ProcessGroups start_groups(Invocation& invocation, RunOptions& run);

}  // namespace softcot
