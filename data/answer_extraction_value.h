#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace softcot {

/// Values of numbers as text in normal form: "-12.5", or "1/3" where no finite decimal exists.

inline constexpr std::size_t kLongestFractionPart = 1000;  ///< Digits; keeps multiplication cheap.
inline constexpr std::size_t kLongestSmall = 18;           ///< Digits that surely fit an int64.

/// Without leading zeros; "0" for none but zeros and for nothing.
std::string strip_zeros(std::string_view digits);

/// whole.part in normal form; both are runs of digits, either may be empty.
std::string decimal_value(bool negative, std::string_view whole, std::string_view part);

/// above/below, runs of digits without leading zeros, below not "0". Reduced, and a decimal where
/// it can be one, if neither part is longer than kLongestSmall.
std::string fraction_value(bool negative, const std::string& above, const std::string& below);

/// Whether two values in normal form are the same, exactly. Fractions with parts longer than
/// kLongestFractionPart equal only their like.
bool same_value(std::string_view left, std::string_view right);

}  // namespace softcot
