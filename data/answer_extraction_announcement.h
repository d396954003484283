#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace softcot {

/// A place where the text says "here comes the answer".
struct Announcement {
  enum class Kind { kBox, kHashes, kPhrase };
  Kind kind;
  std::string_view claim;  ///< What is announced, to the end of its sentence, line or box.
};

/// All announcements in order. Claims do not overlap, so looking at each is linear in the text.
/// The claims point into `plain`, which plain_text made.
std::vector<Announcement> find_announcements(std::string_view plain);

/// Where text begins, after `from`, that asks a question anew, as models do that go on after their
/// answer: a line "Question: …", "Problem 2", "Exercise 2. …", "Now, a new question. …" or "User",
/// or a mark of a chat template; the end of the text if none does.
std::size_t next_question(std::string_view plain, std::size_t from);

/// Whether the question that next_question found at `at` is surely a new one; "The problem: …" and
/// "Task 2: …" may also be part of a solution.
bool surely_asks(std::string_view plain, std::size_t at);

}  // namespace softcot
