#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace softcot {

enum class LogLevel { kDebug, kInfo, kWarning, kSilent };

/// Says who writes: with world > 1 every line begins with the rank, padded to the width of the
/// largest ("[ 3] "), and only rank 0 writes lines below a warning. Without a call: rank 0 of 1.
void set_log_rank(int rank, int world);

/// Lines below `level` are dropped. Without a call the environment variable SOFTCOT_LOG decides
/// (debug, info, warning, silent; anything else counts as info).
void set_log_level(LogLevel level);

/// The level called "debug", "info", "warning" or "silent". Throws kUsage for any other name.
LogLevel log_level_of_name(std::string_view name);

/// Whether a line of this level would be written by this rank.
bool log_wants(LogLevel level);

/// Writes `text` as one line to standard error. Local; safe from any thread; never throws, and a
/// closed or broken standard error is no reason to stop.
void write_log_line(LogLevel level, std::string_view text) noexcept;

/// Puts bytes on standard error as they are, as `write_log_line` does: no signal, no failure.
void write_standard_error(std::string_view bytes) noexcept;

/// Opens /dev/null in the place of a standard stream that the process was started without, so that
/// no data file is ever opened as descriptor 1 or 2 and written over by output. For start of
/// `main`.
void open_missing_standard_streams() noexcept;

template <typename... Args>
void log_at(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_wants(level)) write_log_line(level, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
/// Written by every rank, whichever it is.
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::kWarning, format, std::forward<Args>(args)...);
}

}  // namespace softcot
