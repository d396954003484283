#pragma once

#include <cstddef>
#include <string_view>

namespace softcot {

/// Whether a number in plain text is part of something larger: an expression ("3 + 4", "5!", "2x"),
/// a range or list ("3 to 5", "3, 4"), a date, a time of day, a fraction in words ("half of 10").
/// Both look at a bounded number of words.

/// The number ends at `end`. In a box a '!' after it is a factorial even at the end.
bool tied_to_what_follows(std::string_view plain, std::size_t end, bool boxed);
/// The number, its sign included, begins at `begin`.
bool tied_to_what_precedes(std::string_view plain, std::size_t begin);

/// Whether a '-' or '+' at `at` with space after it is a sign: nothing stands before it that
/// something could be subtracted from.
bool is_sign_apart(std::string_view plain, std::size_t at);

/// The word that ends at `end` (letters only), of at most 16 letters; else empty.
std::string_view word_before(std::string_view plain, std::size_t end);

}  // namespace softcot
