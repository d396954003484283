#include "data/formula_parser.h"

#include <algorithm>

namespace softcot {
namespace {

constexpr int kMaxDepth = 50;

}  // namespace

FormulaParser::FormulaParser(std::string_view text) : text_(text) {
  std::erase_if(text_, [](char c) { return c == ' ' || c == '\t'; });
}

std::optional<Formula> FormulaParser::parse() {
  const Operand whole = sum();
  if (!whole || at_ != text_.size()) return std::nullopt;
  return std::move(formula_);
}

FormulaParser::Operand FormulaParser::sum() {
  if (++depth_ > kMaxDepth) return std::nullopt;
  Operand left = product();
  while (left && (next() == '+' || next() == '-')) {
    const char sign = text_[at_++];
    const Operand right = product();
    left = right ? Operand(operation(sign, *left, *right)) : std::nullopt;
  }
  --depth_;
  return left;
}

FormulaParser::Operand FormulaParser::product() {
  Operand left = raised();
  while (left && (next() == '*' || next() == '/')) {
    const char sign = text_[at_++];
    const Operand right = raised();
    left = right ? Operand(operation(sign, *left, *right)) : std::nullopt;
  }
  return left;
}

FormulaParser::Operand FormulaParser::raised() {
  const Operand base = atom();
  if (!base || !take('^')) return base;
  const Operand exponent = atom();
  return exponent ? Operand(operation('^', *base, *exponent)) : std::nullopt;
}

FormulaParser::Operand FormulaParser::atom() {
  for (const auto& [name, sign] : {std::pair("GCD", 'G'), std::pair("LCM", 'L')}) {
    if (text_.compare(at_, 3, name) == 0) {
      at_ += 3;
      return call(sign);
    }
  }
  if (next() != '(' && next() != '[') return number();
  const char close = text_[at_++] == '(' ? ')' : ']';
  const Operand inside = sum();
  return inside && take(close) ? inside : std::nullopt;
}

FormulaParser::Operand FormulaParser::number() {
  const std::size_t end = std::min(text_.find_first_not_of("0123456789.", at_), text_.size());
  const auto value = Rational::parse(std::string_view(text_).substr(at_, end - at_));
  if (!value || formula_.numbers_.size() + 1 >= kFirstOperation) return std::nullopt;
  at_ = end;
  formula_.numbers_.push_back(*value);
  return formula_.numbers_.size() - 1;
}

FormulaParser::Operand FormulaParser::call(char sign) {
  if (next() != '(' && next() != '[') return std::nullopt;
  const char close = text_[at_++] == '(' ? ')' : ']';
  Operand left = sum();
  while (left && take(',')) {
    const Operand right = sum();
    left = right ? Operand(operation(sign, *left, *right)) : std::nullopt;
  }
  return left && take(close) ? left : std::nullopt;
}

std::size_t FormulaParser::operation(char sign, std::size_t left, std::size_t right) {
  formula_.operations_.push_back({sign, left, right});
  return kFirstOperation + formula_.operations_.size() - 1;
}

bool FormulaParser::take(char c) {
  if (next() != c) return false;
  ++at_;
  return true;
}

}  // namespace softcot
