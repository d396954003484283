#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace softcot {

/// Marks put around the content of an outermost closed \boxed{…} by plain_text.
inline constexpr char kBoxOpen = '\x02';
inline constexpr char kBoxClose = '\x03';

/// Text without its LaTeX and Markdown dress: commands dropped, braces gone, \frac{1}{2} as 1/2,
/// every minus as '-', every currency as '$', digit-group spaces as commas, control characters as
/// spaces, boxes marked. An unclosed \boxed is no box. Linear time; the result is at most four
/// times as long.
std::string plain_text(std::string_view raw);

bool is_digit(char c);
bool is_letter(char c);  ///< ASCII letters only.
char lower(char c);      ///< ASCII only.

/// The character, or NUL past the end.
char char_at(std::string_view text, std::size_t at);

/// Whether the word (lower case) stands at `at`, in any case and not inside a longer word.
bool word_at(std::string_view text, std::size_t at, std::string_view word);

}  // namespace softcot
