#include "data/asdiv_draw.h"

#include <algorithm>
#include <iterator>

namespace softcot {
namespace {

constexpr std::int64_t kSmall = 6;

std::int64_t power_of_ten(int places) {
  std::int64_t power = 1;
  for (int i = 0; i < places; ++i) power *= 10;
  return power;
}

/// 400 goes by 50, 30 by 5, 37 by 1.
std::int64_t roundness(std::int64_t value) {
  constexpr std::int64_t kLeastSteps = 6;
  for (const std::int64_t step : {1000, 500, 100, 50, 25, 10, 5}) {
    if (value % step == 0 && value / step >= kLeastSteps) return step;
  }
  return 1;
}

int sign_of(const Rational& value) { return value.top() > 0 ? 1 : value.top() < 0 ? -1 : 0; }

/// Whether a value is on the side of `bound` on which it was.
bool same_side(const Rational& was, const Rational& now, const Rational& bound) {
  return was < bound ? now < bound : bound < was ? bound < now : now == bound;
}

/// Whether all numbers of the text have the order of size that they had, and each result of the
/// formula its place among those that do not change: of a book of 95 pages no 111 are read.
bool in_order(const AsdivNumbers& numbers, const std::vector<Rational>& drawn,
              const std::vector<Rational>& original, const std::vector<Rational>& results) {
  // Variables rise, so that neighbours suffice.
  for (std::size_t i = 0; i + 1 < drawn.size(); ++i) {
    if (!(drawn[i] < drawn[i + 1])) return false;
  }
  for (const NumberMention& mention : numbers.mentions) {
    const bool varies = std::any_of(
        numbers.variables.begin(), numbers.variables.end(),
        [&](const VariableNumber& variable) { return variable.value == mention.value; });
    if (mention.fixed || varies) continue;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      if (!same_side(numbers.variables[i].value, drawn[i], mention.value)) return false;
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!same_side(original[i], results[i], mention.value)) return false;
    }
  }
  return true;
}

}  // namespace

Rational NumberRange::draw(RandomStream& random) const {
  const auto count = static_cast<std::uint64_t>(high - low) + 1;
  const std::int64_t scaled = (low + static_cast<std::int64_t>(random.below(count))) * step;
  return *Rational::of(scaled, power_of_ten(places));
}

NumberRange range_of(const VariableNumber& variable, const std::vector<NumberMention>& mentions,
                     bool wide) {
  bool in_words = false;
  int places = variable.value.places().value_or(0);
  for (const std::size_t i : variable.mentions) {
    in_words = in_words || mentions[i].in_words;
    places = std::max(places, mentions[i].places);
  }
  const std::int64_t scale = power_of_ten(places);
  const std::int64_t value = variable.value.top() * (scale / variable.value.bottom());
  const std::int64_t factor = wide ? 3 : 2;
  NumberRange range{.low = (value + factor - 1) / factor,
                    .high = value * factor,
                    .step = wide ? 1 : roundness(value),
                    .places = places};
  if (places == 0 && value < kSmall) range = {.low = 2, .high = 9, .step = 1, .places = 0};
  if (places == 0) range.low = std::max<std::int64_t>(range.low, 2);
  if (value < scale) range.high = std::min(range.high, scale - 1);  // 0.75 stays under 1
  if (in_words) {
    const std::int64_t longest = value <= 20 ? 20 : value <= 100 ? 99 : value < 1000 ? 999 : 999999;
    range.high = std::min(range.high, longest);
  }
  range.low = (range.low + range.step - 1) / range.step;
  range.high = std::max(range.high / range.step, range.low);
  return range;
}

DrawFault judge_draw(const AsdivNumbers& numbers, const std::vector<Rational>& drawn,
                     const std::vector<Rational>& original) {
  const auto results = numbers.formula.results(formula_numbers(numbers, drawn));
  if (!results) return DrawFault::kUndefined;
  if (!in_order(numbers, drawn, original, *results)) return DrawFault::kOrder;
  for (std::size_t i = 0; i < original.size(); ++i) {
    const Rational& was = original[i];
    const Rational& now = (*results)[i];
    if (sign_of(was) != sign_of(now)) return DrawFault::kNegative;
    if (now == Rational(1) && was != now) return DrawFault::kOne;
    if (was.is_whole() && !now.is_whole()) return DrawFault::kFractional;
    const bool last = i + 1 == original.size();
    if (last && now.places().value_or(99) > was.places().value_or(99)) {
      return DrawFault::kFractional;
    }
  }
  return DrawFault::kNone;
}

std::vector<Rational> formula_numbers(const AsdivNumbers& numbers,
                                      const std::vector<Rational>& drawn) {
  std::vector<Rational> all = numbers.formula.numbers();
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    for (const std::size_t place : numbers.variables[i].places) all[place] = drawn[i];
  }
  return all;
}

}  // namespace softcot
