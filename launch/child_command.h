#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace softcot {

/// Runs a program to its end, its standard output and error appended to `log`. Returns its exit
/// status, 128 + N if signal N ended it. While `stop()` is true it has been sent SIGUSR1 once,
/// which asks a training for a checkpoint; it is still waited for. If this process is killed, it
/// gets SIGTERM. Throws kResources if it cannot be started. Local; from the only thread.
int run_command(const std::vector<std::string>& words, const std::filesystem::path& log,
                const std::function<bool()>& stop);

/// The path of the running program.
std::filesystem::path own_program();

}  // namespace softcot
