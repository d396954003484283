#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace softcot {

/// Called by a command at the start of its work; `progress` says how far earlier starts of it have
/// come (any number that grows) and is asked inside of a Slurm job only. Counts in
/// `folder`/restarts.json (docs/file-formats.md) how often a Slurm job was put back into the queue
/// and then found itself where it had begun before. Throws kResources at the third time in
/// succession. Does nothing outside of a Slurm job. Local: rank 0 alone.
void count_restart(const std::filesystem::path& folder, const std::string& command,
                   const std::function<std::uint64_t()>& progress);

}  // namespace softcot
