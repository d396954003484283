#include "data/formula.h"

#include <fmt/format.h>

#include <numeric>

#include "data/benchmark_lines.h"
#include "data/formula_parser.h"

namespace softcot {
namespace {

constexpr std::size_t kFirst = FormulaParser::kFirstOperation;

std::optional<Rational> common(char sign, Rational a, Rational b) {
  if (!a.is_whole() || !b.is_whole() || a.top() <= 0 || b.top() <= 0) return std::nullopt;
  const Rational divisor(std::gcd(a.top(), b.top()));
  if (sign == 'G') return divisor;
  const auto product = multiply(a, b);
  return product ? divide(*product, divisor) : std::nullopt;
}

std::optional<Rational> apply(char sign, Rational a, Rational b) {
  switch (sign) {
    case '+':
      return add(a, b);
    case '-':
      return subtract(a, b);
    case '*':
      return multiply(a, b);
    case '/':
      return divide(a, b);
    case '^':
      return power(a, b);
    default:
      return common(sign, a, b);
  }
}

int strength(char sign) { return sign == '+' || sign == '-' ? 1 : sign == '^' ? 3 : 2; }

struct Division {
  std::int64_t quotient;
  std::int64_t rest;
};

std::optional<Division> with_rest(Rational a, Rational b) {
  if (!a.is_whole() || !b.is_whole() || a.top() <= 0 || b.top() <= 0) return std::nullopt;
  const Division division{a.top() / b.top(), a.top() % b.top()};
  return division.quotient > 0 && division.rest > 0 ? std::optional(division) : std::nullopt;
}

std::string step_text(char sign, const std::string& a, const std::string& b,
                      const std::string& result) {
  if (sign == 'G') return fmt::format("greatest common divisor of {} and {} = {}", a, b, result);
  if (sign == 'L') return fmt::format("least common multiple of {} and {} = {}", a, b, result);
  if (sign == '^' && b == "1/2") return fmt::format("square root of {} = {}", a, result);
  return sign == '^' ? fmt::format("{}^{} = {}", a, b, result)
                     : fmt::format("{} {} {} = {}", a, sign, b, result);
}

}  // namespace

std::optional<Formula> Formula::parse(std::string_view text, DivisionPart part) {
  std::optional<Formula> formula = FormulaParser(text).parse();
  if (!formula) return std::nullopt;
  const auto& operations = formula->operations_;
  if (part != DivisionPart::kExact && (operations.empty() || operations.back().sign != '/')) {
    return std::nullopt;
  }
  formula->part_ = part;
  return formula;
}

std::optional<std::vector<Rational>> Formula::results(std::span<const Rational> numbers) const {
  if (operations_.empty()) return std::vector<Rational>{numbers.front()};
  std::vector<Rational> all;
  const auto value = [&](std::size_t operand) {
    return operand < kFirst ? numbers[operand] : all[operand - kFirst];
  };
  for (const Operation& operation : operations_) {
    const Rational left = value(operation.left);
    const Rational right = value(operation.right);
    if (part_ != DivisionPart::kExact && &operation == &operations_.back()) {
      const auto division = with_rest(left, right);
      if (!division) return std::nullopt;
      all.emplace_back(part_ == DivisionPart::kRest       ? division->rest
                       : part_ == DivisionPart::kQuotient ? division->quotient
                                                          : division->quotient + 1);
      continue;
    }
    const auto result = apply(operation.sign, left, right);
    if (!result) return std::nullopt;
    all.push_back(*result);
  }
  return all;
}

std::optional<std::vector<std::string>> Formula::steps(std::span<const Rational> numbers) const {
  const auto all = results(numbers);
  if (!all) return std::nullopt;
  if (operations_.empty()) return std::vector<std::string>{"The answer is " + all->back().text()};
  const auto value = [&](std::size_t operand) {
    return operand < kFirst ? numbers[operand] : (*all)[operand - kFirst];
  };
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const auto& [sign, left, right] = operations_[i];
    const bool last = i + 1 == operations_.size();
    if (last && part_ != DivisionPart::kExact) {
      const Division division = *with_rest(value(left), value(right));
      lines.push_back(fmt::format("{} / {} = {} remainder {}", value(left).text(),
                                  value(right).text(), division.quotient, division.rest));
      if (part_ == DivisionPart::kQuotientAndOne) {
        lines.push_back(fmt::format("{} + 1 = {}", division.quotient, division.quotient + 1));
      }
    } else if (!last && !(*all)[i].places()) {
      return std::vector<std::string>{fmt::format("{} = {}", text(numbers), all->back().text())};
    } else if (sign == '/' && value(left) == Rational(1) && value(right) == Rational(2) && !last &&
               operations_[i + 1].sign == '^') {
      continue;  // the exponent of a square root
    } else {
      const bool root = sign == '^' && value(right) == Rational::of(1, 2);
      lines.push_back(step_text(sign, value(left).text(), root ? "1/2" : value(right).text(),
                                (*all)[i].text()));
    }
  }
  return lines;
}

std::string Formula::text(std::span<const Rational> numbers) const {
  return written(operations_.empty() ? 0 : kFirst + operations_.size() - 1, numbers, 0);
}

std::string Formula::written(std::size_t operand, std::span<const Rational> numbers,
                             int outer_strength) const {
  if (operand < kFirst) return numbers[operand].text();
  const auto& [sign, left, right] = operations_[operand - kFirst];
  if (sign == 'G' || sign == 'L') {
    return fmt::format("{}({}, {})", sign == 'G' ? "GCD" : "LCM", written(left, numbers, 0),
                       written(right, numbers, 0));
  }
  const int own = strength(sign);
  // The right side of "-" and "/" needs brackets around an operation of the same strength.
  std::string text =
      fmt::format("{} {} {}", written(left, numbers, own), sign, written(right, numbers, own + 1));
  return own < outer_strength ? "(" + text + ")" : text;
}

std::vector<std::string> equation_steps(std::string_view equation) {
  const std::string text = trimmed(equation);
  if (text.empty()) return {};
  const auto formula = Formula::parse(text);
  const auto steps = formula ? formula->steps(formula->numbers()) : std::nullopt;
  return steps ? *steps : std::vector<std::string>{text};
}

}  // namespace softcot
