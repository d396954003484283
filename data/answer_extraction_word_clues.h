#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "data/answer_extraction_text.h"

namespace softcot::word_clues {

/// What in a claim joins, denies or takes back an answer in letters or words.

inline bool is_word_char(char c) { return is_letter(c) || is_digit(c) || c == '\''; }

inline std::size_t skip(std::string_view text, std::size_t at, std::string_view characters) {
  return std::min(text.find_first_not_of(characters, at), text.size());
}

/// Where words and signs end that join several answers ("or", "and/or", ", then", "→"); `at` for
/// none.
inline std::size_t joined_at(std::string_view text, std::size_t at) {
  for (bool moved = true; moved;) {
    moved = false;
    const std::size_t next = std::min(text.find_first_not_of(' ', at), text.size());
    if (std::string_view(",;/&|+").find(char_at(text, next)) != std::string_view::npos &&
        next < text.size()) {
      at = next + 1;
      moved = true;
    }
    for (const std::string_view sign : {"- ", "...", "->", "=>", "\u2192", "\u21D2", "\u2194"}) {
      if (!text.substr(next).starts_with(sign)) continue;
      at = next + sign.size();
      moved = true;
    }
    for (const std::string_view word :
         {"or", "and", "nor", "then", "as well as", "plus", "with", "versus", "vs", "followed by",
          "along with", "together with", "but"}) {
      if (!word_at(text, next, word)) continue;
      at = next + word.size() + (word == "vs" && char_at(text, next + 2) == '.' ? 1 : 0);
      moved = true;
    }
  }
  return at;
}

/// Whether a claim says that something is not so before `end`.
inline bool negated_before(std::string_view claim, std::size_t end) {
  for (std::size_t i = 0; i < std::min(end, claim.size()); ++i) {
    if (claim.substr(i, 3) == "n't") return true;
    for (const std::string_view word :
         {"not", "neither", "never", "except", "hardly", "cannot", "maybe", "perhaps", "possibly",
          "doubt", "but", "wrong", "incorrect"}) {
      if (word_at(claim, i, word)) return true;
    }
  }
  return false;
}

/// Whether what ends at `end` is then called wrong: "A (incorrect)", "yes is not right".
inline bool called_wrong(std::string_view text, std::size_t end) {
  constexpr std::string_view kAround = " )(*_\"`'$-:,";
  std::size_t next = skip(text, end, kAround);
  bool verb = false;
  for (const std::string_view is : {"is", "was", "would be", "seems", "isn't", "wasn't", "which is",
                                    "that is", "that's", "that would be", "which would be"}) {
    if (!word_at(text, next, is)) continue;
    if (is.ends_with("n't")) return true;
    next = skip(text, next + is.size(), kAround);
    verb = true;
    break;
  }
  if (verb && word_at(text, next, "not")) return true;
  for (const std::string_view cross : {"\u2717", "\u2718", "\u274C"}) {
    if (text.substr(next).starts_with(cross)) return true;
  }
  for (const std::string_view wrong :
       {"wrong", "incorrect", "false", "invalid", "impossible", "mistaken", "untrue"}) {
    if (word_at(text, next, wrong)) return true;
  }
  return false;
}

}  // namespace softcot::word_clues
