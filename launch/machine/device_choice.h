#pragma once

#include <c10/core/Device.h>

#include "launch/options/run_options.h"
#include "runtime/process_world.h"

namespace softcot {

/// The device of this rank: the host, or the GPU that is its own on its machine, which becomes the
/// current one. Collective over the world. Throws kResources when a rank has no GPU where GPUs were
/// asked for, or when the ranks on a machine outnumber its GPUs (under kAuto too: a job that was
/// given GPUs is not to run on CPUs unnoticed), and kUsage when this build cannot use them.
at::Device choose_device(const ProcessWorld& world, DeviceChoice choice);

}  // namespace softcot
