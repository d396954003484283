#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace softcot {

/// A number found in plain text (plain_text of answer_extraction_text.h).
struct NumberToken {
  std::size_t begin = 0;  ///< First byte, its sign and currency included.
  std::size_t end = 0;    ///< One past the last byte, its percent sign and "million" included.
  std::string value;      ///< "-12.5", "1/3": normal form of extract_answer.
};

/// The next number at or after `from`; nothing before `from` is looked at. Digits glued to a word
/// (x2), subscripts, exponents, the powers they belong to and numbers in or next to a formula are
/// no numbers. A sign may stand apart ("- 3", "minus 3", "-(3)") where it cannot be a subtraction.
std::optional<NumberToken> next_number(std::string_view plain, std::size_t from);

/// The one number a claim makes: the number it begins with, unless it is part of an expression, a
/// range, a list, a date or a time, else the only number after its last '=', likewise. A claim that
/// says "not" makes none. In a box a '!' is a factorial.
std::optional<std::string> claimed_number(std::string_view claim, bool boxed);

std::optional<std::string> last_number(std::string_view plain);

}  // namespace softcot
