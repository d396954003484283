#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/row.h"

namespace softcot {

enum class TokenKind {
  kWords,
  kSpecial,  ///< One of the family's tokens.
  kThought,  ///< A placeholder that a thought replaces.
};

/// Neighbouring tokens of one kind; special tokens stand alone.
struct TextRun {
  TokenKind kind = TokenKind::kWords;
  bool trained = false;  ///< Targets.
  std::string text;      ///< Decoded; of thoughts a single placeholder.
  std::int64_t tokens = 0;
};

/// The row in runs, in its order: together all of its tokens.
std::vector<TextRun> row_runs(const Tokenizer& tokenizer, Family family, const Row& row);

/// How runs are told apart.
enum class RowMarks {
  kPlain,   ///< ⟦special⟧, ⟦placeholder ×32⟧, «trained».
  kColour,  ///< ANSI: special cyan, thoughts magenta, trained green, bold where also special.
};

/// The row as text. Control characters but line break and tab are shown as �: what a dataset holds
/// cannot reach the terminal's controls.
std::string row_text(const std::vector<TextRun>& runs, RowMarks marks);

/// A line that explains the marks, in themselves.
std::string row_legend(RowMarks marks);

}  // namespace softcot
