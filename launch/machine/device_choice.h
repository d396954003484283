#pragma once

#include <c10/core/Device.h>

#include "launch/options/run_options.h"
#include "runtime/error.h"
#include "runtime/gpus.h"
#include "runtime/process_world.h"

namespace softcot {

/// Whether this build looks for GPUs under this choice.
bool looks_for_gpus(DeviceChoice choice);

/// The device of this rank: the host, or the GPU that is its own on its machine, which becomes the
/// current one. Under kAuto a job computes on CPUs only where no rank sees a GPU and no driver
/// reports an error; a build with CUDA then logs a warning. Collective over the world. Throws
/// kResources, naming ranks and hosts, when a driver reports an error, when a rank has no GPU where
/// another has one or GPUs were asked for, or when the ranks on a machine outnumber its GPUs; and
/// kUsage when this build cannot use them.
at::Device choose_device(const ProcessWorld& world, DeviceChoice choice);

/// What to report of a driver that is installed and shows no GPU.
Problem driver_problem(const VisibleGpus& gpus, const std::string& where);

}  // namespace softcot
