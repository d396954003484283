#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace softcot {

/// How far a long piece of work is, on standard error: on a terminal one line that is redrawn (at
/// most ten times a second), elsewhere a plain line at most every ten seconds and one at the end.
/// Local, for one thread at a time; never throws and never stops the work.
class Progress {
 public:
  enum class Style { kTerminal, kLines, kHidden };

  /// `total` counts `unit`s ("rows"); 0 means that the amount is not known. Hidden when not
  /// `visible` (ranks other than 0) and when the log level leaves out information.
  Progress(std::string title, std::uint64_t total, std::string unit, bool visible = true);
  /// As above in a style of one's own.
  Progress(std::string title, std::uint64_t total, std::string unit, Style style);
  /// Ends the line on a terminal; says nothing more when the work was left by an exception.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `count` more units are done. `note` is shown at the end of the line ("loss 1.31").
  void advance(std::uint64_t count, std::string_view note = "") noexcept;

  /// Writes the last line, with the time taken. Later calls do nothing.
  void finish() noexcept;

  std::uint64_t done() const { return done_; }

 private:
  using Clock = std::chrono::steady_clock;  // a clock set back in between changes nothing

  void show(bool last) noexcept;

  std::string title_;
  std::uint64_t total_;
  std::string unit_;
  Style style_;
  std::string note_;
  std::uint64_t done_ = 0;
  bool finished_ = false;
  bool line_is_open_ = false;
  Clock::time_point start_;
  Clock::time_point shown_;
};

/// What one line of progress says; `width` > 0 adds a bar of so many cells. Exposed for tests.
std::string progress_line(std::string_view title, std::uint64_t done, std::uint64_t total,
                          std::string_view unit, double seconds, std::size_t width);

/// "45 s", "3 min 20 s", "2 h 05 min".
std::string format_duration(double seconds);

}  // namespace softcot
