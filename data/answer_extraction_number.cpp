#include "data/answer_extraction_number.h"

#include <algorithm>
#include <array>

#include "data/answer_extraction_number_reader.h"
#include "data/answer_extraction_text.h"
#include "data/answer_extraction_ties.h"

namespace softcot {
namespace {

// Words that may stand right before digits.
constexpr std::array<std::string_view, 6> kCurrencyWords = {"usd", "eur", "gbp", "rs", "rm", "us"};

// Whether digits at `at` belong to the word, subscript or exponent before them.
bool glued(std::string_view plain, std::size_t at) {
  if (at == 0) return false;
  const char before = plain[at - 1];
  if (before == '^') return true;
  if (before == '_') return at >= 2 && (is_letter(plain[at - 2]) || is_digit(plain[at - 2]));
  if (!is_letter(before)) return false;
  std::size_t begin = at;
  while (begin > 0 && at - begin < 4 && is_letter(plain[begin - 1])) --begin;
  return std::none_of(kCurrencyWords.begin(), kCurrencyWords.end(), [&](std::string_view word) {
    return word.size() == at - begin && word_at(plain.substr(0, at), begin, word);
  });
}

// A '-' or '+' is a sign where no operand stands before it.
bool is_sign(std::string_view plain, std::size_t at) {
  if (at == 0) return true;
  const char before = plain[at - 1];
  return !is_digit(before) && !is_letter(before) && before != ')' && before != '%' &&
         before != '^' && static_cast<unsigned char>(before) < 0x80;
}

// What stands before the digits of a number and belongs to it.
struct Prefix {
  std::size_t begin = 0;
  int signs = 0;
  bool negative = false;
  bool bracket = false;  // "-(3)": a bracket between sign and digits.
};

// "minus 3" is a number where nothing stands before "minus" to subtract from.
bool is_sign_word(std::string_view plain, std::size_t begin, std::string_view word) {
  if (word_at(word, 0, "negative") || word_at(word, 0, "positive")) return true;
  if (!word_at(word, 0, "minus") && !word_at(word, 0, "plus")) return false;
  while (begin > 0 && plain[begin - 1] == ' ') --begin;
  const std::string_view before = word_before(plain, begin);
  for (const std::string_view verb : {"is", "be", "was", "equals", "of", "to", "by", "at"}) {
    if (before.size() == verb.size() && word_at(before, 0, verb)) return true;
  }
  return is_sign_apart(plain, begin);
}

// Looks back from the digits at `digits`, to `low` at most.
Prefix prefix_of(std::string_view plain, std::size_t low, std::size_t digits) {
  Prefix prefix{.begin = digits};
  const auto sign_at = [&](std::size_t at, bool apart) {
    const bool sign = plain[at] == '-' || plain[at] == '+';
    return sign && (apart ? is_sign_apart(plain, at) : is_sign(plain, at));
  };
  for (std::size_t end = digits; end > low;) {
    const bool space = plain[end - 1] == ' ';
    while (end > low && plain[end - 1] == ' ') --end;
    if (end == low) break;
    const char c = plain[end - 1];
    if (sign_at(end - 1, space)) {
      ++prefix.signs;
      prefix.negative ^= c == '-';
    } else if (c == '(' && !prefix.bracket && end - 1 > low && sign_at(end - 2, false)) {
      prefix.bracket = true;
    } else if (c != '$') {
      const std::string_view word = word_before(plain, end);
      if (!space || word.empty() || word.size() > end - low ||
          !is_sign_word(plain, end - word.size(), word))
        break;
      ++prefix.signs;
      prefix.negative ^= lower(word[0]) == 'm' || lower(word[0]) == 'n';
      end -= word.size() - 1;
    }
    prefix.begin = --end;
  }
  return prefix;
}

bool next_to_formula(std::string_view plain, std::size_t begin, std::size_t end) {
  while (begin > 0 && plain[begin - 1] == ' ') --begin;
  while (char_at(plain, end) == ' ') ++end;
  return (begin > 0 && plain[begin - 1] == kFormulaClose) || char_at(plain, end) == kFormulaOpen;
}

// "($3)", as accounts write a loss, which others may mean as 3.
bool is_loss(std::string_view claim, const NumberToken& number) {
  return number.begin > 0 && claim[number.begin - 1] == '(' && claim[number.begin] == '$' &&
         char_at(claim, number.end) == ')';
}

// A column of numbers in a box: "1 \\ 2".
bool is_column(std::string_view claim, const NumberToken& first) {
  const auto second = next_number(claim, first.end);
  return second && claim.substr(first.end, second->begin - first.end).find('\n') != claim.npos;
}

// "x = 3 or x = -2": several equations, each with a value of its own.
bool several_equations(std::string_view claim) {
  const std::size_t first = claim.find('=');
  const std::size_t last = claim.rfind('=');
  for (std::size_t i = first; i < last && last != std::string_view::npos; ++i) {
    const bool comma = claim[i] == ';' || (claim[i] == ',' && !is_digit(char_at(claim, i + 1)));
    if (comma || word_at(claim, i, "or") || word_at(claim, i, "and")) return true;
  }
  return false;
}

}  // namespace

std::optional<NumberToken> next_number(std::string_view plain, std::size_t from) {
  std::size_t low = from;  // Where the number before ended.
  for (std::size_t i = from; i < plain.size();) {
    if (plain[i] == kFormulaOpen) {
      i = std::min(plain.find(kFormulaClose, i), plain.size());
      continue;
    }
    const bool point = plain[i] == '.' && is_digit(char_at(plain, i + 1)) &&
                       (i == 0 || (!is_digit(plain[i - 1]) && !is_letter(plain[i - 1])));
    if (!is_digit(plain[i]) && !point) {
      ++i;
      continue;
    }
    if (glued(plain, i)) {
      while (is_digit(char_at(plain, ++i))) {
      }
      low = i;
      continue;
    }
    const Prefix prefix = prefix_of(plain, low, i);
    const auto [value, past] = read_number(plain, i, prefix.negative);
    low = i = std::max(past, i + 1);
    if (!value || prefix.signs > 1) continue;
    if (prefix.bracket && char_at(plain, i) != ')') continue;
    const std::size_t end = prefix.bracket ? i + 1 : i;
    if (next_to_formula(plain, prefix.begin, end)) continue;
    return NumberToken{.begin = prefix.begin, .end = end, .value = *value};
  }
  return std::nullopt;
}

std::optional<std::string> claimed_number(std::string_view claim, bool boxed) {
  for (std::size_t i = 0; i < claim.size(); ++i) {
    if (word_at(claim, i, "not") || word_at(claim, i, "isn't")) {
      const auto first = next_number(claim, 0);
      if (!first || first->begin > i) return std::nullopt;
      break;
    }
  }
  const std::size_t begin = claim.find_first_not_of(" \n*_:\"`'([");
  if (begin == std::string_view::npos) return std::nullopt;
  const auto leading = next_number(claim, begin);
  if (leading && (is_loss(claim, *leading) || (boxed && is_column(claim, *leading))))
    return std::nullopt;
  // The digits under a bar are letters that stand for a number's digits.
  if (claim.find(std::string(1, kFormulaOpen) + "overline") != claim.npos) return std::nullopt;
  if (const auto first = next_number(claim, begin);
      first && first->begin == begin && !tied_to_what_follows(claim, first->end, boxed)) {
    return first->value;
  }
  if (several_equations(claim)) return std::nullopt;
  const std::size_t equals = claim.rfind('=');
  if (equals != std::string_view::npos) claim.remove_prefix(equals + 1);
  const auto only = next_number(claim, 0);
  if (!only || next_number(claim, only->end)) return std::nullopt;
  if (tied_to_what_precedes(claim, only->begin) || tied_to_what_follows(claim, only->end, boxed))
    return std::nullopt;
  return only->value;
}

std::optional<std::string> last_number(std::string_view plain) {
  std::optional<std::string> last;
  for (std::size_t at = 0;;) {
    const auto token = next_number(plain, at);
    if (!token) return last;
    last = token->value;
    at = token->end;
  }
}

}  // namespace softcot
