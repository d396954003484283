#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace softcot {

/// Marks put around the content of an outermost closed \boxed{…} by plain_text.
inline constexpr char kBoxOpen = '\x02';
inline constexpr char kBoxClose = '\x03';
/// Marks put around what no plain text can express: \sqrt{2}, \pi, \frac{x}{2}, ≥. Not nested. No
/// number or choice is read between them or next to them.
inline constexpr char kFormulaOpen = '\x04';
inline constexpr char kFormulaClose = '\x05';

/// Text without its LaTeX and Markdown: braces and layout commands dropped, \frac{1}{2} as 1/2,
/// every minus as '-', every currency as '$', digit-group spaces as commas, superscripts as ^2,
/// control characters as spaces, boxes and formulas marked. An unclosed \boxed is no box. Linear
/// time; the result is at most four times as long.
std::string plain_text(std::string_view raw);

bool is_digit(char c);
bool is_letter(char c);  ///< ASCII letters only.
char lower(char c);      ///< ASCII only.

/// The character, or NUL past the end.
char char_at(std::string_view text, std::size_t at);

/// Whether the word (lower case) stands at `at`, in any case and not inside a longer word.
bool word_at(std::string_view text, std::size_t at, std::string_view word);

}  // namespace softcot
