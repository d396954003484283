#pragma once

#include <vector>

#include "model/parameter.h"
#include "runtime/process_world.h"

namespace softcot {

/// Throws kNumerics on the ranks of a group that holds a trained tensor alike and finds that one of
/// them holds other bits: a fault of memory or of the network, or a defect. Names the world rank
/// that stands against most of its group (of two, the second) and the tensor. Reads every trained
/// byte once. Between replicas it sees what was changed since the last update, which gives all of
/// them the values of the tensor's owner anew. Collective over the world.
void require_same_replicas(const std::vector<Parameter>& parameters, const ProcessGroups& groups);

}  // namespace softcot
