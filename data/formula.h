#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/rational.h"

namespace softcot {

/// Which number of a division with rest is the answer: "64/7=9 r1".
enum class DivisionPart { kExact, kQuotient, kRest, kQuotientAndOne };

/// Arithmetic as word problems write it: numbers, + - * / ^, round and square brackets, and
/// GCD(…), LCM[…] of whole numbers. Its numbers can be replaced. All results are exact.
class Formula {
 public:
  /// Nothing if the text is anything else. With another part than kExact the outermost operation
  /// must be a division.
  static std::optional<Formula> parse(std::string_view text,
                                      DivisionPart part = DivisionPart::kExact);

  /// The numbers in the order in which they are written.
  const std::vector<Rational>& numbers() const { return numbers_; }

  DivisionPart part() const { return part_; }
  /// The formula written out, without what is right of "=": "(45 - 39) / 2".
  std::string text(std::span<const Rational> numbers) const;

  /// The result of each operation in the order of working, the last being the formula's own, with
  /// `numbers` (as many as there are) in the places of its own; {its number} if there is none. A
  /// division with rest must have one, and its parts be whole and above 0. Nothing where a result
  /// is not defined or does not fit.
  std::optional<std::vector<Rational>> results(std::span<const Rational> numbers) const;

  /// The working, one line for each operation: "45 - 39 = 6", "6 / 2 = 3". One line for the whole
  /// where an intermediate result is no decimal that ends. Nothing where `results` is nothing.
  std::optional<std::vector<std::string>> steps(std::span<const Rational> numbers) const;

 private:
  struct Operation {
    char sign;  ///< + - * / ^, 'G' and 'L'.
    std::size_t left;
    std::size_t right;
  };
  friend class FormulaParser;

  std::string written(std::size_t operand, std::span<const Rational> numbers,
                      int outer_strength) const;

  DivisionPart part_ = DivisionPart::kExact;
  std::vector<Rational> numbers_;
  std::vector<Operation> operations_;  ///< Operands are numbers, then results of operations.
};

/// The working of an equation's left side, or the text itself where it is no formula. Empty for an
/// empty text.
std::vector<std::string> equation_steps(std::string_view equation);

}  // namespace softcot
