#include "launch/run/shared_input.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "runtime/error.h"

namespace softcot {
namespace {

// What rank 0 tells the others: nothing yet, the end, or lines as "NUMBER TEXT\n".
constexpr const char* kStillWaiting = "wait";
constexpr const char* kEnd = "";

/// Bytes that are read ahead of the lines in work.
constexpr std::size_t kReadAhead = std::size_t{1} << 20;

std::string packed(const std::vector<InputLine>& lines) {
  std::string message;
  for (const InputLine& line : lines) message += fmt::format("{} {}\n", line.number, line.text);
  return message;
}

std::vector<InputLine> unpacked(const std::string& message) {
  std::vector<InputLine> lines;
  for (std::size_t at = 0; at < message.size();) {
    const std::size_t blank = message.find(' ', at);
    const std::size_t end = message.find('\n', blank);
    lines.push_back({.text = message.substr(blank + 1, end - blank - 1),
                     .number = std::stoll(message.substr(at, blank - at))});
    at = end + 1;
  }
  return lines;
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r") == std::string::npos;
}

}  // namespace

std::string InputLine::where() const { return fmt::format("standard input, line {}", number); }

SharedInput::SharedInput(int descriptor, Communicator& group, std::chrono::milliseconds keep_alive)
    : descriptor_(descriptor), group_(group), keep_alive_(keep_alive) {}

std::vector<InputLine> SharedInput::next(std::size_t limit) {
  for (;;) {
    std::string message = kEnd;
    if (group_.rank() == 0) {
      while (unread_.size() < kReadAhead && read_more(std::chrono::milliseconds(0))) continue;
      std::vector<InputLine> lines = take(limit);
      while (lines.empty() && read_more(keep_alive_)) lines = take(limit);
      message = !lines.empty() ? packed(lines) : ended_ ? kEnd : kStillWaiting;
    }
    message = broadcast_bytes(group_, message, 0);
    if (message != kStillWaiting) return unpacked(message);
  }
}

/// Whole lines out of what has been read; at the end of the input the last one needs no line break.
std::vector<InputLine> SharedInput::take(std::size_t limit) {
  std::vector<InputLine> lines;
  std::size_t begin = 0;
  while (lines.size() < limit && begin < unread_.size()) {
    std::size_t end = unread_.find('\n', begin);
    if (end == std::string::npos && !ended_) break;
    end = std::min(end, unread_.size());
    InputLine line{.text = unread_.substr(begin, end - begin), .number = ++number_};
    if (!is_blank(line.text)) lines.push_back(std::move(line));
    begin = std::min(end + 1, unread_.size());
  }
  unread_.erase(0, begin);
  return lines;
}

/// Waits for bytes at most so long and reads them. False when none came, or none will.
bool SharedInput::read_more(std::chrono::milliseconds wait) {
  if (ended_) return false;
  pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
  const int count = poll(&ready, 1, static_cast<int>(wait.count()));
  if (count == 0 || (count < 0 && errno == EINTR)) return false;
  std::array<char, 65536> bytes;
  const ssize_t got = count < 0 ? -1 : read(descriptor_, bytes.data(), bytes.size());
  if (got < 0) {
    if (errno == EINTR || errno == EAGAIN) return false;
    fail(ExitCode::kInput, {.what = "standard input cannot be read", .got = std::strerror(errno)});
  }
  ended_ = got == 0;
  unread_.append(bytes.data(), static_cast<std::size_t>(got));
  return true;
}

}  // namespace softcot
