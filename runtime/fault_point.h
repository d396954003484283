#pragma once

#include <string>

namespace softcot {

/// A named place at which tests can end the process as a power cut would (SIGKILL: nothing is
/// flushed, no destructor runs). Does nothing unless that place was chosen; costs one load then.
void fault_point(const char* name) noexcept;

/// Chooses the place, and how many times it is passed before the end comes (1 = the first). Without
/// a call the environment variable SOFTCOT_CRASH_AT decides: "checkpoint.before-rename" or, with a
/// count, "checkpoint.before-rename#3". An empty name chooses none.
void set_crash_point(const std::string& name, int times = 1);

}  // namespace softcot
