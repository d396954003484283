#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace softcot {

/// Offset of the first byte that is not part of valid UTF-8; std::string_view::npos if all is
/// valid.
std::size_t find_invalid_utf8(std::string_view bytes);

/// Unicode code point that begins at `text[at]`, and its length in bytes. `text` is valid UTF-8 and
/// `at` the first byte of a character of it.
struct CodePoint {
  char32_t value;
  std::size_t length;
};
CodePoint code_point_at(std::string_view text, std::size_t at);
void append_code_point(std::string& out, char32_t value);

/// General categories Nd, Nl and No.
bool is_numeric(char32_t value);
/// The property White_Space.
bool is_white_space(char32_t value);
/// What `\w` stands for: letters, marks, decimal digits, letter numbers, connector punctuation.
bool is_word_character(char32_t value);

/// Canonical composition. `text` is valid UTF-8.
std::string to_nfc(std::string_view text);

/// Turns bytes that arrive in pieces into valid UTF-8. Each longest run of bytes that could have
/// begun a character but does not become one turns into one U+FFFD, as do single stray bytes.
class Utf8Repair {
 public:
  /// Appends to `out` all that is decided by now; at most three bytes wait for the next call.
  void append(std::string_view bytes, std::string& out);
  /// Ends the text: bytes that still wait become one U+FFFD.
  void finish(std::string& out);

 private:
  std::string waiting_;
};

}  // namespace softcot
