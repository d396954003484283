#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace softcot {

struct ReadNumber {
  std::optional<std::string> value;  ///< In normal form; nothing for a power or an empty text.
  std::size_t end = 0;               ///< One past the last byte read.
};

/// Reads the number whose digits, or the point before them, begin at `at` of plain text: groups of
/// thousands, decimals, fractions, mixed numbers, 1e3, 2.5 * 10^3, "1.5 million", a percent sign.
ReadNumber read_number(std::string_view plain, std::size_t at, bool negative);

}  // namespace softcot
