#pragma once

#include <optional>
#include <string>

namespace softcot {

/// Runs the program named (searched on PATH) as a child process, without a shell and without the
/// user's start-up files, feeds it `script` and returns its standard output. Nothing when the
/// program is missing, fails, says nothing, or takes longer than 20 s (it is then ended). Throws
/// nothing but std::bad_alloc.
std::optional<std::string> run_gnuplot(const std::string& program, const std::string& script);

}  // namespace softcot
