#pragma once

#include <string>

namespace softcot {

/// This machine's name, "unknown" where the system does not tell it. Local.
std::string host_name();

}  // namespace softcot
