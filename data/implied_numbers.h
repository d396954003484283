#pragma once

#include <string_view>
#include <vector>

#include "data/rational.h"

namespace softcot {

/// Numbers that words of a text can stand for: "twice" 2, "dozen" 12, "week" 7, "square" 4, "$"
/// 100; and the length of each list of names, "Ann, Bob and Cem" 3. In no order, possibly repeated;
/// 1 is always among them.
std::vector<Rational> implied_numbers(std::string_view text);

}  // namespace softcot
