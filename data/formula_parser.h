#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "data/formula.h"

namespace softcot {

/// One pass over a formula's text, by recursive descent: sum, product, power, atom. Operands are
/// numbered as the parser meets them, numbers from 0, operations from kFirstOperation.
class FormulaParser {
 public:
  /// More digits than any problem has numbers, so that both kinds of operands share one numbering.
  static constexpr std::size_t kFirstOperation = 1000;

  explicit FormulaParser(std::string_view text);
  std::optional<Formula> parse();

 private:
  using Operand = std::optional<std::size_t>;

  Operand sum();
  Operand product();
  Operand raised();
  Operand atom();
  Operand number();
  Operand call(char sign);
  std::size_t operation(char sign, std::size_t left, std::size_t right);
  bool take(char c);
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Formula formula_;
};

}  // namespace softcot
