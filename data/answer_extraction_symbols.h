#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace softcot {

/// What LaTeX commands and characters beyond ASCII mean in plain text.

/// The meaning of the LaTeX command \name (letters only): a sign such as "*", a space, or an empty
/// text for commands that only set the type face of what follows. Nothing for a command that has a
/// value of its own (\sqrt, \pi) or is not known.
std::optional<std::string_view> latex_meaning(std::string_view name);

/// Whether the first argument in braces is for the layout and not part of the text: \color{red}.
bool latex_layout_argument(std::string_view name);

/// A character in UTF-8 and what is written for it.
struct Symbol {
  enum class Kind {
    kPlain,       ///< As `plain`: "-" for any minus.
    kFraction,    ///< As `plain`, "1/2", apart from digits before it.
    kFormula,     ///< A sign that makes a formula of the numbers next to it: ±, √, π, ≤.
    kGroupSpace,  ///< A space that may stand between groups of digits.
    kEmDash,
  };
  Kind kind;
  std::string_view character;
  std::string_view plain;
};

/// The symbol that `text` begins with; nothing for any other character.
std::optional<Symbol> symbol_at(std::string_view text);

}  // namespace softcot
