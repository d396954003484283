#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace softcot {

/// A warning about what all ranks read alike, such as a model folder: by rank 0, and once in a
/// process however often it is given. Safe from any thread.
void write_warning_once(const std::string& text);
template <typename... Args>
void log_warning_once(fmt::format_string<Args...> format, Args&&... args) {
  write_warning_once(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace softcot
