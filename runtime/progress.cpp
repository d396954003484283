#include "runtime/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "runtime/log.h"

namespace softcot {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(10);
constexpr std::size_t kBarCells = 24;

Progress::Style style_here(bool visible) {
  if (!visible || !log_wants(LogLevel::kInfo)) return Progress::Style::kHidden;
  const char* terminal = std::getenv("TERM");
  const bool redraws =
      isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
  return redraws ? Progress::Style::kTerminal : Progress::Style::kLines;
}

std::string format_rate(double per_second) {
  if (per_second >= 100) return fmt::format("{:.0f}", per_second);
  return fmt::format("{:.{}f}", per_second, per_second >= 10 ? 1 : 2);
}

std::string bar(double part, std::size_t width) {
  const auto full = static_cast<std::size_t>(part * static_cast<double>(width));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "] ";
}

}  // namespace

std::string format_duration(double seconds) {
  const auto all = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e15)));
  if (all < 60) return fmt::format("{} s", all);
  if (all < 3600) return fmt::format("{} min {:02} s", all / 60, all % 60);
  return fmt::format("{} h {:02} min", all / 3600, all / 60 % 60);
}

std::string progress_line(std::string_view title, std::uint64_t done, std::uint64_t total,
                          std::string_view unit, double seconds, std::size_t width) {
  std::string line = fmt::format("{} ", title);
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  if (total > 0) {
    const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    if (width > 0) line += bar(part, width);
    line += fmt::format("{}/{} {} ({:.0f}%)", done, total, unit, std::floor(part * 100));
  } else {
    line += fmt::format("{} {}", done, unit);
  }
  if (rate > 0) line += fmt::format(", {} {}/s", format_rate(rate), unit);
  if (total > done && rate > 0) {
    line += ", " + format_duration(static_cast<double>(total - done) / rate) + " left";
  }
  return line;
}

Progress::Progress(std::string title, std::uint64_t total, std::string unit, bool visible)
    : Progress(std::move(title), total, std::move(unit), style_here(visible)) {}

Progress::Progress(std::string title, std::uint64_t total, std::string unit, Style style)
    : title_(std::move(title)),
      total_(total),
      unit_(std::move(unit)),
      style_(style),
      start_(Clock::now()),
      shown_(start_) {}

Progress::~Progress() {
  if (line_is_open_) write_standard_error("\n");
}

void Progress::advance(std::uint64_t count, std::string_view note) noexcept {
  done_ += count;
  if (style_ == Style::kHidden || finished_) return;
  try {
    note_ = note;
  } catch (...) {
    note_.clear();
  }
  const auto pause = style_ == Style::kTerminal ? Clock::duration(kRedrawEvery) : kLineEvery;
  if (Clock::now() - shown_ >= pause) show(false);
}

void Progress::finish() noexcept {
  if (finished_) return;
  finished_ = true;
  show(true);
}

void Progress::show(bool last) noexcept {
  if (style_ == Style::kHidden) return;
  try {
    shown_ = Clock::now();
    const double seconds = std::chrono::duration<double>(shown_ - start_).count();
    const bool redraw = style_ == Style::kTerminal;
    std::string line = progress_line(title_, done_, total_, unit_, seconds, redraw ? kBarCells : 0);
    if (last) line += ", took " + format_duration(seconds);
    if (!note_.empty()) line += ", " + note_;
    if (redraw) {
      write_standard_error("\r" + line + "\x1b[K" + (last ? "\n" : ""));
      line_is_open_ = !last;
    } else {
      write_log_line(LogLevel::kInfo, line);
    }
  } catch (...) {  // out of memory for one line: the work goes on without it
  }
}

}  // namespace softcot
