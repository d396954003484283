#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace softcot {

/// A number found in plain text (plain_text of answer_extraction_text.h).
struct NumberToken {
  std::size_t begin = 0;  ///< First byte, its sign and currency included.
  std::size_t end = 0;    ///< One past the last byte.
  std::string value;      ///< "-12.5", "1/3": normal form of extract_answer.
};

/// The next number at or after `from`. Digits glued to a word (x2), subscripts, exponents and the
/// powers they belong to are no numbers.
std::optional<NumberToken> next_number(std::string_view plain, std::size_t from);

/// The one number a claim makes: the number it begins with, unless an operator or another number is
/// tied to it, else the only number after its last '='. A claim that says "not" makes none.
std::optional<std::string> claimed_number(std::string_view claim);

std::optional<std::string> last_number(std::string_view plain);

}  // namespace softcot
