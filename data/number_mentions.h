#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/rational.h"

namespace softcot {

/// A number in a text, in digits or in words.
struct NumberMention {
  std::size_t begin = 0;  ///< Bytes [begin, end) of the text.
  std::size_t end = 0;
  Rational value;
  bool in_words = false;
  int places = 0;       ///< Digits after the point.
  bool commas = false;  ///< Digits are grouped: "3,730".
  /// Another number in its place would not read well or would mean something else: ordinals,
  /// clock times, dates, years, ratios, fractions, percentages, "2-digit".
  bool fixed = false;
};

/// In the order of the text.
std::vector<NumberMention> find_numbers(std::string_view text);

/// A mention's new value: not negative; whole if the mention is in words.
struct NumberChange {
  NumberMention mention;
  Rational value;
};

/// The text with each change written the way its mention is: words or digits, upper case, places,
/// commas; "a" or "an" before it follows its sound. Changes are in the order of the text.
std::string replace_numbers(std::string_view text, const std::vector<NumberChange>& changes);

}  // namespace softcot
