#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace softcot {

/// Called by a command at the start of its work, with how far earlier starts of it have come (any
/// number that grows): counts in `folder`/restarts.json (docs/file-formats.md) how often a Slurm
/// job was put back into the queue and then found itself where it had begun before. Throws
/// kResources at the third time in succession. Does nothing outside of a Slurm job. Local: rank 0
/// alone.
void count_restart(const std::filesystem::path& folder, const std::string& command,
                   std::uint64_t progress);

}  // namespace softcot
