#include "data/answer_extraction_ties.h"

#include <algorithm>
#include <array>

#include "data/answer_extraction_text.h"
#include "data/answer_extraction_tie_words.h"

namespace softcot {
namespace {

constexpr std::size_t kLongestWord = 16;
constexpr int kMostUnitWords = 3;

template <typename Words>
bool is_one_of(std::string_view word, const Words& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view known) {
    return known.size() == word.size() && word_at(word, 0, known);
  });
}

using namespace tie_words;

bool is_month(std::string_view word) { return word == "May" || is_one_of(word, kMonths); }

bool is_counting_word(std::string_view word) {
  return is_one_of(word, kNumberWords) || is_one_of(word, kFractionWords) ||
         is_one_of(word, std::array<std::string_view, 1>{"one"});
}

std::size_t skip(std::string_view plain, std::size_t at, std::string_view characters) {
  return std::min(plain.find_first_not_of(characters, at), plain.size());
}

std::string_view word_from(std::string_view plain, std::size_t at) {
  std::size_t end = at;
  while (is_letter(char_at(plain, end)) && end - at <= kLongestWord) ++end;
  return plain.substr(std::min(at, plain.size()), end - at);
}

bool is_variable(std::string_view word) {
  return word.size() == 1 && word != "a" && word != "A" && word != "I";
}

// A letter that follows a number and is no unit: "5x", "2n".
bool is_no_unit(std::string_view word) {
  return is_variable(word) && kUnitLetters.find(word[0]) == std::string_view::npos;
}

// Whether a number, a bracket around one, a signed number or a formula begins at or after `at`.
bool number_at(std::string_view plain, std::size_t at) {
  at = skip(plain, at, " $*_`\"([");
  const char c = char_at(plain, at);
  const bool signed_or_point = c == '-' || c == '+' || c == '.';
  return is_digit(c) || c == kFormulaOpen ||
         (signed_or_point && is_digit(char_at(plain, skip(plain, at + 1, " $("))));
}

// The same, or a number in words: "two", "a half".
bool operand_at(std::string_view plain, std::size_t at) {
  if (number_at(plain, at)) return true;
  at = skip(plain, at, " $*_`\"([");
  const std::string_view word = word_from(plain, at);
  const bool article = word == "a" || word == "an";
  return is_counting_word(article ? word_from(plain, skip(plain, at + word.size(), " ")) : word);
}

// Whether another item of a list begins at `at`: " 6", " or 6", " maybe 6".
bool list_goes_on(std::string_view plain, std::size_t at) {
  constexpr int kMostListWords = 3;
  for (int words = 0; words < kMostListWords; ++words) {
    at = skip(plain, at, " ,");
    const std::string_view word = word_from(plain, at);
    if (word.empty() || !is_one_of(word, kListWords)) break;
    at += word.size();
  }
  return number_at(plain, at);
}

// Whether the word at `at`, next to the number, makes it part of more.
bool word_ties(std::string_view plain, std::size_t at, std::string_view word) {
  if (is_one_of(word, kOperations) || is_one_of(word, kFractionWords) ||
      is_one_of(word, kNumberWords) || is_month(word))
    return true;
  const std::size_t next = skip(plain, at + word.size(), " ");
  if (word_at(word, 0, "times") && (word_at(plain, next, "as") || word_at(plain, next, "the")))
    return true;
  if (word_at(word, 0, "in") && word_at(plain, next, "the")) {
    const std::size_t part = skip(plain, next + 3, " ");
    for (const std::string_view name : {"morning", "afternoon", "evening"}) {
      if (word_at(plain, part, name)) return true;
    }
  }
  if (word_at(word, 0, "to") && word_at(plain, next, "the")) {
    const std::size_t power = skip(plain, next + 3, " ");
    if (word_at(plain, power, "power") || operand_at(plain, power)) return true;
  }
  return is_one_of(word, kJoiningWords) &&
         (operand_at(plain, at + word.size()) || list_goes_on(plain, next));
}

// Whether the word at `at`, after that unit, goes on with another number.
bool word_ties_after_unit(std::string_view plain, std::size_t at, std::string_view word,
                          std::string_view unit) {
  if (word_at(word, 0, "remainder")) return !word_at(unit, 0, "the");
  const bool percent =
      word_at(unit, 0, "percent") || word_at(unit, 0, "cent") || word_at(unit, 0, "pct");
  const bool share = word_at(word, 0, "of") && percent;
  return (share || is_one_of(word, kAfterUnitWords)) && operand_at(plain, at + word.size());
}

// Whether the letters right after a number's last digit make it part of more: "0x10", "5x", "5m2".
bool glued_letters_tie(std::string_view plain, std::size_t at, std::string_view word) {
  const bool hexadecimal = at > 0 && plain[at - 1] == '0' && lower(word[0]) == 'x';
  return hexadecimal || word == "F" || is_digit(char_at(plain, at + word.size())) ||
         is_no_unit(word) || word_ties(plain, at, word);
}

// Whether the quantity with this unit goes on at `at`: " 20 minutes", " and 20 minutes".
bool quantity_goes_on(std::string_view plain, std::size_t at, std::string_view unit) {
  if (!is_one_of(unit, kCompoundUnits)) return false;
  const std::size_t next = skip(plain, at, " ,");
  const std::size_t after = next + (word_at(plain, next, "and") ? 3 : 0);
  return after > at && is_digit(char_at(plain, skip(plain, after, " ")));
}

// "a.m.", "p.m.".
bool is_half_day(std::string_view plain, std::size_t at) {
  return (word_at(plain, at, "a") || word_at(plain, at, "p")) && char_at(plain, at + 1) == '.' &&
         word_at(plain, at + 2, "m");
}

// Whether the number that ends at `end` has a decimal point.
bool is_decimal(std::string_view plain, std::size_t end) {
  while (end > 0 && is_digit(plain[end - 1])) --end;
  return end > 0 && plain[end - 1] == '.';
}

// Whether the '!' at `at` is a factorial and not the end of a sentence.
bool is_factorial(std::string_view plain, std::size_t at, bool boxed) {
  const std::size_t after = skip(plain, at + 1, " ");
  const char next = char_at(plain, after);
  const bool sentence_goes_on = after > at + 1 && is_letter(next) && next == lower(next);
  return boxed || sentence_goes_on ||
         (next != '\0' && std::string_view("$=+-*/^,!)\x04").find(next) != std::string_view::npos);
}

// Whether the mark at `at`, right after the number that ends there, makes it part of more: "5(3)",
// "3.14.15", "1,00", "2:30", "1'000", "1_000", "0.333...".
bool glued_mark_ties(std::string_view plain, std::size_t at, bool boxed) {
  const char next = char_at(plain, at + 1);
  switch (char_at(plain, at)) {
    case '(':
      return is_digit(next) || next == '-' || is_variable(word_from(plain, at + 1));
    case '.':
      return is_digit(next) || next == kFormulaOpen || (next == '.' && is_decimal(plain, at)) ||
             (next == '(' && is_digit(char_at(plain, at + 2))) ||
             (next == '.' && list_goes_on(plain, skip(plain, at, ".")));
    case ',':
    case ':':
    case '\'':
      return is_digit(next);
    case '_':
      return is_digit(next) || is_letter(next);
    case '*':
      return number_at(plain, at + 1);
    case '!':
      return is_factorial(plain, at, boxed);
    default:
      return false;
  }
}

// Whether what stands at `at`, after the number or after its unit, goes on with an expression, a
// range or a list.
bool operator_ties(std::string_view plain, std::size_t at, bool after_unit) {
  const char next = char_at(plain, at + 1);
  const std::string_view word = word_from(plain, skip(plain, at + 1, " "));
  switch (char_at(plain, at)) {
    case '(':
      return is_one_of(word, kListWords) && list_goes_on(plain, at + 1);
    case '?':
      return list_goes_on(plain, at + 1);
    case '^':
      return !after_unit;  // 5^2, but 5 cm^2.
    case '=':
    case '<':
    case '>':
    case '|':
    case kFormulaOpen:
      return true;
    case '*':
      return operand_at(plain, at + 1);
    case '.':
      return next == '.' && list_goes_on(plain, skip(plain, at, "."));
    case '+':
      if (next == '/' || next == '-') return true;
      [[fallthrough]];
    case '~':
    case '&':
      return operand_at(plain, at + 1) || !word.empty();
    case '/':
      return operand_at(plain, at + 1) || is_no_unit(word);
    case '-': {
      // "3-" at the end is tied, "3 - which" and "5-year" are not.
      const bool dangling = next != ' ' && !is_letter(next);
      return operand_at(plain, at + 1) || (!after_unit && (dangling || is_variable(word)));
    }
    case ',':
    case ';':
    case ':': {
      return !after_unit && list_goes_on(plain, at + 1);
    }
    default:
      return false;
  }
}

}  // namespace

std::string_view word_before(std::string_view plain, std::size_t end) {
  std::size_t begin = end;
  while (begin > 0 && is_letter(plain[begin - 1])) {
    if (end - --begin > kLongestWord) return {};
  }
  return plain.substr(begin, end - begin);
}

bool is_sign_apart(std::string_view plain, std::size_t at) {
  while (at > 0 && plain[at - 1] == ' ') --at;
  return at == 0 || std::string_view("=(:$*\x02").find(plain[at - 1]) != std::string_view::npos;
}

bool tied_to_what_follows(std::string_view plain, std::size_t end, bool boxed) {
  std::size_t at = end;
  if (at > 0 && plain[at - 1] == '%' && is_digit(char_at(plain, at))) return true;  // 7%3
  const std::string_view glued = word_from(plain, at);
  if (!glued.empty() && glued_letters_tie(plain, at, glued)) return true;
  at += glued.size();
  if (quantity_goes_on(plain, at, glued)) return true;
  if (glued_mark_ties(plain, at, boxed)) return true;
  bool after_unit = !glued.empty();
  std::string_view unit = glued;
  const std::size_t closed = skip(plain, at, ")]*_`\"'$");
  if (closed > at && char_at(plain, closed) == '(') return true;  // (3)(4)
  at = closed;
  for (int words = 0; words <= kMostUnitWords; ++words) {
    const std::size_t space = at;
    at = skip(plain, at, " ");
    const bool decimal = char_at(plain, at) == '.' && is_digit(char_at(plain, at + 1));
    if (!after_unit && at > space && (decimal || is_digit(char_at(plain, at)))) return true;
    if (operator_ties(plain, at, after_unit)) return true;
    if (after_unit) at = skip(plain, at, "^-0123456789");  // cm^2
    const std::size_t modulus = at;
    at = skip(plain, at, "*%");
    if (!after_unit && at > modulus && number_at(plain, at)) return true;
    const std::string_view word = word_from(plain, skip(plain, at, " "));
    if (word.empty()) return false;
    at = skip(plain, at, " ");
    if (!after_unit && (is_no_unit(word) || word_ties(plain, at, word))) return true;
    if (after_unit && word_ties_after_unit(plain, at, word, unit)) return true;
    if (is_half_day(plain, at)) return true;
    unit = word;
    at += word.size();
    if (!after_unit && quantity_goes_on(plain, at, word)) return true;
    after_unit = true;
    if (word_at(word, 0, "below") && word_at(plain, skip(plain, at, " "), "zero")) return true;
  }
  return false;
}

bool tied_to_what_precedes(std::string_view plain, std::size_t begin) {
  std::size_t at = begin;
  while (at > 0 && std::string_view(" \n*_`\"([$").find(plain[at - 1]) != std::string_view::npos)
    --at;
  if (at == 0) return false;
  const char c = plain[at - 1];
  if (char_at(plain, at) == '(' && is_letter(c)) return true;  // f(2)
  if (is_digit(c) || c == kFormulaClose) return true;
  if (std::string_view("+-/^~|<>&)").find(c) != std::string_view::npos) return true;
  if ((c == ',' || c == ':' || c == '.' || c == '%') && at >= 2 && is_digit(plain[at - 2]))
    return true;
  const std::string_view word = word_before(plain, at);
  if (word.empty()) return false;
  if (is_variable(word) || is_one_of(word, kBeforeWords) || is_one_of(word, kNumberWords) ||
      is_month(word))
    return true;
  std::size_t before = at - word.size();
  while (before > 0 && plain[before - 1] == ' ') --before;
  const std::string_view earlier = word_before(plain, before);
  if (word_at(word, 0, "of"))
    return is_counting_word(earlier) || is_one_of(earlier, kFunctionWords) ||
           (before > 0 && plain[before - 1] == '%');
  if (word_at(word, 0, "by")) return is_one_of(earlier, kOperations);
  if (word_at(word, 0, "and") || word_at(word, 0, "or")) return is_counting_word(earlier);
  return false;
}

}  // namespace softcot
