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

/// Where the next line after `from` begins that asks a question anew ("Question: …", "Q2:",
/// "User:"), as models do that go on after their answer; the end of the text if none does.
std::size_t next_question(std::string_view plain, std::size_t from);

}  // namespace softcot
