#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/asdiv_numbers.h"
#include "runtime/random.h"

namespace softcot {

/// The values a variable number may take: step·k / 10^places for k from low to high, inclusive.
struct NumberRange {
  std::int64_t low = 0;
  std::int64_t high = 0;
  std::int64_t step = 1;
  int places = 0;

  Rational draw(RandomStream& random) const;
};

/// Numbers of the same look and size: half to twice; with `wide` a third to three times, and round
/// numbers need not be round.
NumberRange range_of(const VariableNumber& variable, const std::vector<NumberMention>& mentions,
                     bool wide);

/// What can be wrong with new numbers, if anything. kOne: a result became 1, which needs another
/// grammar, and makes common divisors trivial.
enum class DrawFault { kNone, kNegative, kFractional, kUndefined, kOrder, kOne };

/// Judges new values of the variables, `drawn`, one for each in their order. `original` holds the
/// formula's results with its own numbers.
DrawFault judge_draw(const AsdivNumbers& numbers, const std::vector<Rational>& drawn,
                     const std::vector<Rational>& original);

/// The formula's numbers with new values of the variables.
std::vector<Rational> formula_numbers(const AsdivNumbers& numbers,
                                      const std::vector<Rational>& drawn);

}  // namespace softcot
