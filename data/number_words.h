#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace softcot {

/// A number written in English words, as found in a text.
struct SpelledNumber {
  std::int64_t value = 0;
  std::size_t size = 0;  ///< Bytes that it takes.
};

/// The longest number in words that begins at `at`, which must be the beginning of a word: "Seven",
/// "forty-five", "five hundred fifty-four", "one hundred and two". Nothing if there is none.
std::optional<SpelledNumber> read_number_words(std::string_view text, std::size_t at);

/// "five hundred fifty-four". `value` is from 0 to 999,999.
std::string number_words(std::int64_t value);

/// Whether `word` (lower case) is an ordinal or a part: "third", "thirds", "half", "21st".
bool is_ordinal_word(std::string_view word);

/// The word of letters and digits at `at`, in lower case; empty if there is none.
std::string word_at(std::string_view text, std::size_t at);

}  // namespace softcot
