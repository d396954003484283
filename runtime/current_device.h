#pragma once

#include <c10/core/Device.h>

namespace softcot {

/// Makes `device` the current one of the calling thread. Every thread that uses events, streams or
/// NCCL does so first: a new thread's current device is 0, and a call there makes a context of
/// some 0.5 GB on that GPU. Does nothing for the host. Local.
void set_current_device(c10::Device device);

}  // namespace softcot
