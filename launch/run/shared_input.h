#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/json_lines.h"
#include "runtime/communicator.h"

namespace softcot {

/// One line of a stream that several ranks work on together.
struct InputLine {
  std::string text;         ///< Without its line break.
  std::int64_t number = 0;  ///< From 1, blank lines counted.

  /// "standard input, line 3"
  std::string where() const;
};

/// The lines of a file descriptor as rank 0 of a group reads them, on all its ranks. Blank lines
/// are left out.
class SharedInput {
 public:
  /// While no line comes, the group hears of rank 0 every `keep_alive`, so that waiting for input
  /// is never taken for a lost rank: choose less than the group's timeout. Only rank 0 touches
  /// `descriptor`. `group` must outlive this object.
  SharedInput(int descriptor, Communicator& group, std::chrono::milliseconds keep_alive);

  /// The lines that wait to be read, but at most `limit`; waits until there is one. Empty at the
  /// end of the input. Collective over the group. Throws kInput when the descriptor cannot be read.
  std::vector<InputLine> next(std::size_t limit);

 private:
  std::vector<InputLine> take(std::size_t limit);
  bool read_more(std::chrono::milliseconds wait);

  int descriptor_;
  Communicator& group_;
  std::chrono::milliseconds keep_alive_;
  std::string unread_;  // bytes after the last line that was taken
  std::int64_t number_ = 0;
  bool ended_ = false;
};

/// Answers a program that writes JSON lines: `parse(object, line)` makes a request of each, and
/// `answer(requests)` serves those that wait, at most `limit` at once. A bad line ends it with its
/// Error, after those before it have been answered. Collective over the input's group.
template <typename Parse, typename Answer>
void serve_json_lines(SharedInput& input, std::size_t limit, Parse parse, Answer answer) {
  for (auto lines = input.next(limit); !lines.empty(); lines = input.next(limit)) {
    std::vector<decltype(parse(nlohmann::json(), lines[0]))> requests;
    std::exception_ptr bad;
    try {
      for (const InputLine& line : lines) {
        requests.push_back(parse(parse_json_object(line.text, line.where()), line));
      }
    } catch (...) {
      bad = std::current_exception();
    }
    if (!requests.empty()) answer(requests);
    if (bad) std::rethrow_exception(bad);
  }
}

}  // namespace softcot
