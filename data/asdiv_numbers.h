#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/asdiv.h"
#include "data/number_mentions.h"

namespace softcot {

/// A number of a problem that can be another one: wherever the text says it and the formula uses
/// it.
struct VariableNumber {
  Rational value;
  std::vector<std::size_t> mentions;  ///< Of AsdivNumbers::mentions.
  std::vector<std::size_t> places;    ///< Of the formula's numbers.
};

/// Why a problem cannot be augmented.
enum class AsdivObstacle {
  kFormula,      ///< Its formula is no arithmetic that gives its answer, a number.
  kUnexplained,  ///< Its formula uses a number that the text does not name.
  kTied,         ///< A number of the text may hang on others in a way that the formula hides.
  kNoVariable,   ///< No number is left that could change.
  kTooFew,       ///< Not enough different numbers make sense.
};

/// A problem's text and formula with the numbers that belong together.
struct AsdivNumbers {
  Formula formula;
  std::vector<NumberMention> mentions;
  std::vector<VariableNumber> variables;  ///< Not empty; in rising order of their values.
};

/// Finds which numbers of the problem may change. A number of the formula may if the text names the
/// same number at least as often, in places where another would read well, and no word of the text
/// ("twice", "week", "square") could be what it stands for. 0 and 1 never do. The result is empty,
/// with `obstacle` saying why, where a change could make question and answer disagree.
std::optional<AsdivNumbers> link_numbers(const AsdivProblem& problem, AsdivObstacle& obstacle);

}  // namespace softcot
