#pragma once

#include <mpi.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace softcot {

/// Asked by a rank whose collective number `sequence` in `group` has reached its deadline: who else
/// of the group is there? Those who reach theirs within `patience` tell each other their numbers.
/// Names the others, by world rank: "rank 3 (does not answer), rank 5 (at number 12)"; empty where
/// all are in the same collective. The group is of no use afterwards.
std::string missing_ranks(MPI_Comm group, const std::vector<int>& world_ranks, int rank,
                          std::uint64_t sequence, std::chrono::milliseconds patience);

}  // namespace softcot
