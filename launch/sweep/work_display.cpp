#include "launch/sweep/work_display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "runtime/log.h"
#include "runtime/progress.h"

namespace softcot {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds(200);
constexpr auto kLineEvery = std::chrono::seconds(10);

bool redraws() {
  const char* terminal = std::getenv("TERM");
  return log_wants(LogLevel::kInfo) && isatty(STDERR_FILENO) == 1 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

std::size_t terminal_columns() {
  constexpr std::size_t kUsual = 80;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : kUsual;
}

double since(WorkState::Clock::time_point start, WorkState::Clock::time_point now) {
  return std::chrono::duration<double>(now - start).count();
}

}  // namespace

double seconds_left(std::span<const WorkState> states, std::span<const double> estimates, int jobs,
                    WorkState::Clock::time_point now) {
  double taken = 0;
  double expected = 0;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i].phase != WorkState::Phase::kDone || states[i].seconds <= 0) continue;
    taken += states[i].seconds;
    expected += estimates[i];
  }
  const double scale = expected > 0 ? taken / expected : 1;
  double left = 0;
  for (std::size_t i = 0; i < states.size(); ++i) {
    switch (states[i].phase) {
      case WorkState::Phase::kWaiting:
      case WorkState::Phase::kElsewhere:
        left += estimates[i] * scale;
        break;
      case WorkState::Phase::kRunning:
        left += std::max(0.0, estimates[i] * scale - since(states[i].start, now));
        break;
      default:
        break;
    }
  }
  return left / jobs;
}

WorkDisplay::WorkDisplay(std::string title, const std::vector<Work>& works,
                         std::vector<double> estimates, bool in_seconds, int jobs)
    : title_(std::move(title)),
      works_(works),
      estimates_(std::move(estimates)),
      in_seconds_(in_seconds),
      jobs_(jobs),
      terminal_(redraws()),
      shown_(Clock::now()) {}

WorkDisplay::~WorkDisplay() { erase(); }

void WorkDisplay::update(std::span<const WorkState> states) {
  const auto pause = terminal_ ? Clock::duration(kRedrawEvery) : kLineEvery;
  if (Clock::now() - shown_ < pause) return;
  shown_ = Clock::now();
  if (terminal_) {
    draw(states);
  } else {
    log_info("{}", counts(states));
  }
}

void WorkDisplay::say(const std::string& line, bool warning) {
  erase();
  log_at(warning ? LogLevel::kWarning : LogLevel::kInfo, "{}", line);
}

void WorkDisplay::finish(std::span<const WorkState> states) {
  erase();
  log_info("{}", counts(states));
}

std::string WorkDisplay::counts(std::span<const WorkState> states) const {
  using Phase = WorkState::Phase;
  std::size_t cells = 0;
  std::map<Phase, std::size_t> of;
  bool measured = in_seconds_;
  for (std::size_t i = 0; i < states.size(); ++i) {
    measured = measured || states[i].seconds > 0;
    if (states[i].phase == Phase::kRunning) ++of[Phase::kRunning];
    if (states[i].phase == Phase::kUnwanted) continue;
    cells += works_[i].cells;
    if (states[i].phase != Phase::kRunning) of[states[i].phase] += works_[i].cells;
  }
  std::string line = fmt::format("{}: {} of {} cells done", title_, of[Phase::kDone], cells);
  if (of[Phase::kRunning] > 0) line += fmt::format(", {} running", of[Phase::kRunning]);
  if (of[Phase::kElsewhere] > 0) line += fmt::format(", {} elsewhere", of[Phase::kElsewhere]);
  if (of[Phase::kFailed] > 0) line += fmt::format(", {} failed", of[Phase::kFailed]);
  const double left = seconds_left(states, estimates_, jobs_, Clock::now());
  if (measured && left > 0) line += fmt::format(", about {} left", format_duration(left));
  return line;
}

void WorkDisplay::draw(std::span<const WorkState> states) {
  erase();
  const std::size_t columns = terminal_columns();
  std::string text;
  const auto add = [&](const std::string& line) {
    text += line.substr(0, columns) + "\n";
    ++drawn_;
  };
  add(counts(states));
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i].phase != WorkState::Phase::kRunning) continue;
    add(fmt::format("  {:<10} {:>12}  {}", states[i].step,
                    format_duration(since(states[i].start, Clock::now())), works_[i].name));
  }
  write_standard_error(text);
}

void WorkDisplay::erase() {
  if (drawn_ > 0) write_standard_error(fmt::format("\x1b[{}A\x1b[J", drawn_));
  drawn_ = 0;
}

}  // namespace softcot
