#include "data/number_mentions.h"

#include <algorithm>
#include <array>

#include "data/number_words.h"

namespace softcot {
namespace {

constexpr std::array<std::string_view, 24> kMonths = {
    "january",   "february", "march",    "april",    "may",  "june", "july", "august",
    "september", "october",  "november", "december", "jan",  "feb",  "mar",  "apr",
    "jun",       "jul",      "aug",      "sep",      "sept", "oct",  "nov",  "dec"};
/// After a number in digits, these make it a part of something else.
constexpr std::array<std::string_view, 21> kAfter = {
    "hundred", "hundreds", "thousand", "thousands", "million", "billion",  "dozen",
    "dozens",  "tens",     "ones",     "percent",   "a.m",     "p.m",      "am",
    "pm",      "digit",    "sided",    "oclock",    "digits",  "percents", "dimensional"};
constexpr std::array<std::string_view, 8> kBefore = {"grade",  "chapter", "room",  "level",
                                                     "number", "no",      "route", "highway"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

char at_or_end(std::string_view text, std::size_t at) { return at < text.size() ? text[at] : '\0'; }

/// The word that ends before `at`, in lower case, with at most one space or hyphen between.
std::string word_before(std::string_view text, std::size_t at) {
  if (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '-')) --at;
  std::size_t begin = at;
  while (begin > 0 && (is_letter(text[begin - 1]) || is_digit(text[begin - 1]))) --begin;
  return word_at(text.substr(0, at), begin);
}

/// The word after a number, past a space or hyphen: "p.m", "o'clock" as "oclock".
std::string word_after(std::string_view text, std::size_t at) {
  if (at_or_end(text, at) == ' ' || at_or_end(text, at) == '-') ++at;
  const std::string_view rest = text.substr(std::min(at, text.size()));
  if (rest.starts_with("a.m") || rest.starts_with("p.m")) return std::string(rest.substr(0, 3));
  if (rest.starts_with("o'clock") || rest.starts_with("o’clock")) return "oclock";
  return word_at(text, at);
}

/// Whether what stands around [begin, end) makes the number one that must stay.
bool is_tied(std::string_view text, std::size_t begin, std::size_t end) {
  const char before = begin > 0 ? text[begin - 1] : '\0';
  const char after = at_or_end(text, end);
  const bool digit_before = begin > 1 && is_digit(text[begin - 2]);
  const bool digit_after = is_digit(at_or_end(text, end + 1));
  if (is_letter(before) || before == '#' || before == '/' || before == '_') return true;
  if ((before == ':' || before == '-' || before == '^') && digit_before) return true;
  if (before == '-' && begin > 1 && is_letter(text[begin - 2])) return true;
  if ((after == ':' || after == '/' || after == '-' || after == '^') && digit_after) return true;
  if (after == '%' || (after == ' ' && at_or_end(text, end + 1) == '%')) return true;
  // "3 1/2"
  std::size_t fraction = end + 1;
  while (after == ' ' && is_digit(at_or_end(text, fraction))) ++fraction;
  if (fraction > end + 1 && text.substr(fraction).starts_with('/')) return true;
  const std::string next = word_after(text, end);
  const bool seconds = next == "second" || next == "seconds";
  if (holds(kAfter, next) || next == "x" || (is_ordinal_word(next) && !seconds)) return true;
  const std::string previous = word_before(text, begin);
  return holds(kBefore, previous) || (holds(kMonths, previous) && before == ' ');
}

NumberMention digits_at(std::string_view text, std::size_t begin) {
  NumberMention mention{.begin = begin,
                        .end = begin,
                        .value = {},
                        .in_words = false,
                        .places = 0,
                        .commas = false,
                        .fixed = false};
  std::string plain;
  const auto take_digits = [&] {
    while (is_digit(at_or_end(text, mention.end))) plain += text[mention.end++];
  };
  take_digits();
  const auto group_follows = [&] {
    const std::string_view rest = text.substr(mention.end);
    return rest.size() >= 4 && rest[0] == ',' && is_digit(rest[1]) && is_digit(rest[2]) &&
           is_digit(rest[3]) && !is_digit(at_or_end(rest, 4));
  };
  if (plain.size() <= 3) {
    while (group_follows()) {
      mention.commas = true;
      ++mention.end;
      take_digits();
    }
  }
  if (at_or_end(text, mention.end) == '.' && is_digit(at_or_end(text, mention.end + 1))) {
    const std::size_t point = mention.end;
    plain += text[mention.end++];
    take_digits();
    mention.places = static_cast<int>(mention.end - point - 1);
  }
  const auto value = Rational::parse(plain);
  mention.value = value.value_or(Rational());
  // A suffix is a unit ("20cm") or makes it an ordinal ("5th").
  const bool ordinal = is_ordinal_word(word_at(text, begin));
  const bool year = plain.size() == 4 && !mention.commas && mention.value < Rational(2101) &&
                    Rational(1499) < mention.value && !(begin > 0 && text[begin - 1] == '$');
  mention.fixed = !value || ordinal || year || is_tied(text, begin, mention.end);
  return mention;
}

std::string with_commas(std::string digits) {
  const std::size_t whole = std::min(digits.find('.'), digits.size());
  for (std::size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string written_like(const NumberMention& mention, const Rational& value, char first) {
  if (mention.in_words) {
    std::string words = number_words(value.top());
    if (first >= 'A' && first <= 'Z') words[0] = static_cast<char>(words[0] - 'a' + 'A');
    return words;
  }
  std::string digits = value.text();
  const int places = value.places().value_or(0);
  if (places < mention.places) {
    if (places == 0) digits += '.';
    digits.append(static_cast<std::size_t>(mention.places - places), '0');
  }
  return mention.commas ? with_commas(digits) : digits;
}

/// Whether a number is spoken with a vowel first: eight…, eleven, eighteen.
bool takes_an(const std::string& number) {
  const char first = number.front();
  if (first == '8' || first == 'e' || first == 'E') return true;
  const std::string group = number.substr(0, number.find_first_of(",."));
  const std::size_t digits = group.size();
  return (group.starts_with("11") || group.starts_with("18")) && (digits == 2 || digits == 5);
}

void fit_article(std::string& text, const std::string& number) {
  std::size_t end = text.size();
  if (end > 0 && text[end - 1] == '$') return;  // "a $5 note"; eight dollars are rare
  if (end == 0 || text[end - 1] != ' ') return;
  --end;
  const std::string article = word_before(text, end + 1);
  if (article != "a" && article != "an") return;
  const std::size_t begin = end - article.size();
  text.replace(begin + 1, article.size() - 1, takes_an(number) ? "n" : "");
}

}  // namespace

std::vector<NumberMention> find_numbers(std::string_view text) {
  std::vector<NumberMention> found;
  for (std::size_t at = 0; at < text.size();) {
    const bool word_begins = at == 0 || !(is_letter(text[at - 1]) || is_digit(text[at - 1]));
    if (is_digit(text[at])) {
      found.push_back(digits_at(text, at));
      // ".75" without its 0 is left alone.
      const bool bare_point =
          at > 0 && text[at - 1] == '.' && (at == 1 || !is_letter(text[at - 2]));
      if (bare_point) found.back().fixed = true;
      at = found.back().end;
      continue;
    }
    const auto spelled = word_begins && is_letter(text[at]) ? read_number_words(text, at)
                                                            : std::optional<SpelledNumber>();
    if (!spelled) {
      ++at;
      continue;
    }
    const std::size_t end = at + spelled->size;
    // "third" begins with no number word, but "sixty" in "sixtyish" must not be cut out of it.
    if (!is_letter(at_or_end(text, end))) {
      const bool hyphen = at_or_end(text, end) == '-' || (at > 0 && text[at - 1] == '-');
      found.push_back(
          {.begin = at,
           .end = end,
           .value = Rational(spelled->value),
           .in_words = true,
           .places = 0,
           .commas = false,
           .fixed = is_tied(text, at, end) || (hyphen && is_ordinal_word(word_after(text, end)))});
    }
    at = end;
  }
  return found;
}

std::string replace_numbers(std::string_view text, const std::vector<NumberChange>& changes) {
  std::string out;
  std::size_t at = 0;
  for (const auto& [mention, value] : changes) {
    out += text.substr(at, mention.begin - at);
    const std::string number = written_like(mention, value, text[mention.begin]);
    fit_article(out, number);
    out += number;
    at = mention.end;
  }
  return out + std::string(text.substr(at));
}

}  // namespace softcot
