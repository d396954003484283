#pragma once

#include <sys/types.h>

#include <string>

namespace softcot {

/// Whether this machine has such a process and it has not ended. One that has ended and that its
/// parent has not asked about counts as ended: in a container without an init process it stays so.
bool process_is_alive(pid_t process);

/// When it started, in the kernel's ticks since boot, which tells it from a later process of its
/// number; empty where there is no such process, or no /proc.
std::string process_start(pid_t process);

/// Names the set of processes in which numbers of processes mean the same: this start of the
/// machine and this namespace (container). Empty where there is no /proc.
std::string process_space();

}  // namespace softcot
