#include "evaluation/answer_extraction_number.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "evaluation/answer_extraction_text.h"
#include "evaluation/answer_extraction_value.h"

namespace softcot {
namespace {

constexpr std::size_t kLongestExponent = 1000;  // 1e1000 is a number, 1e1001 is text.
constexpr int kMostPairs = 8;                   // Two-digit groups in a row: 10^19 in crores.

// Words that may stand right before digits.
constexpr std::array<std::string_view, 6> kCurrencyWords = {"usd", "eur", "gbp", "rs", "rm", "us"};

// Reads one number that begins at `at`; the caller has seen that one may begin there.
class NumberReader {
 public:
  NumberReader(std::string_view plain, std::size_t at) : plain_(plain), begin_(at), at_(at) {}

  std::optional<NumberToken> read() {
    NumberToken token{.begin = begin_, .end = 0, .value = {}};
    bool negative = false;
    for (; peek() == '-' || peek() == '+' || peek() == '$'; ++at_) negative |= peek() == '-';
    const std::string whole = read_whole();
    std::string part;
    if (peek() == '.' && is_digit(peek(1))) {
      ++at_;
      part = read_digits();
    }
    if (whole.empty() && part.empty()) return std::nullopt;
    token.value = finish(negative, whole, part);
    if (token.value.empty()) return std::nullopt;
    if (peek() == '%') ++at_;
    token.end = at_;
    return token;
  }

  std::size_t at() const { return at_; }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < plain_.size() ? plain_[at_ + ahead] : '\0';
  }

  std::string read_digits() {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return std::string(plain_.substr(begin, at_ - begin));
  }

  // 1234, 1,234,567 or 12,34,567: two or three digits a group, three in the last.
  std::string read_whole() {
    std::string digits = read_digits();
    if (digits.empty() || digits.size() > 3) return digits;
    std::size_t kept = digits.size();
    std::size_t ahead = at_;
    for (int pairs = 0; pairs <= kMostPairs && ahead < plain_.size() && plain_[ahead] == ',';) {
      std::size_t end = ahead + 1;
      while (end < plain_.size() && end - ahead <= 4 && is_digit(plain_[end])) ++end;
      const std::size_t size = end - ahead - 1;
      if (size != 2 && size != 3) break;
      digits += plain_.substr(ahead + 1, size);
      ahead = end;
      pairs = size == 2 ? pairs + 1 : 0;
      if (size == 3) {
        at_ = ahead;
        kept = digits.size();
      }
    }
    digits.resize(kept);
    return digits;
  }

  // What may follow the digits: an exponent, or a fraction, mixed or not. Empty for no number.
  std::string finish(bool negative, const std::string& whole, const std::string& part) {
    if (peek() == '^') return skip_power();
    if (auto exponent = read_exponent()) return shifted(negative, whole, part, *exponent);
    if (part.empty()) {
      const bool date = begin_ > 0 && plain_[begin_ - 1] == '/';
      if (!date && (peek() == '/' || (peek() == ' ' && peek(1) == '/'))) {
        if (auto value = read_below(negative, "0", whole)) return *value;
      } else if (peek() == ' ' && is_digit(peek(1))) {
        const std::size_t back = at_++;
        const std::string above = read_digits();
        if (peek() == '/' && is_digit(peek(1))) {
          if (auto value = read_below(negative, whole, above)) return *value;
        }
        at_ = back;
      }
    }
    return decimal_value(negative, whole, part);
  }

  std::string skip_power() {
    ++at_;
    while (peek() == '-' || peek() == '(') ++at_;
    read_digits();
    return {};
  }

  // "e5", "E-3", " * 10^5".
  std::optional<long> read_exponent() {
    const std::size_t back = at_;
    bool found = false;
    if ((peek() == 'e' || peek() == 'E') &&
        (is_digit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2))))) {
      ++at_;
      found = true;
    } else {
      while (peek() == ' ' && at_ - back < 2) ++at_;
      if (peek() == '*') {
        ++at_;
        while (peek() == ' ' && at_ - back < 5) ++at_;
        if (plain_.substr(at_, 3) == "10^") {
          at_ += 3;
          found = true;
        }
      }
    }
    const bool negative = found && peek() == '-';
    if (found && (peek() == '-' || peek() == '+')) ++at_;
    const std::string digits = found ? strip_zeros(read_digits()) : "";
    if (!found || digits.size() > 4 || (peek() != '\0' && is_letter(peek()))) {
      at_ = back;
      return std::nullopt;
    }
    const long value = std::stol(digits);
    if (value > static_cast<long>(kLongestExponent)) {
      at_ = back;
      return std::nullopt;
    }
    return negative ? -value : value;
  }

  static std::string shifted(bool negative, const std::string& whole, const std::string& part,
                             long exponent) {
    std::string digits = whole + part;
    long point = static_cast<long>(whole.size()) + exponent;
    if (point < 0) {
      digits.insert(0, static_cast<std::size_t>(-point), '0');
      point = 0;
    }
    const auto cut = static_cast<std::size_t>(point);
    if (cut > digits.size()) digits.append(cut - digits.size(), '0');
    return decimal_value(negative, digits.substr(0, cut), digits.substr(cut));
  }

  // At the '/' after `above`; nothing, and no move, if what follows makes no fraction.
  std::optional<std::string> read_below(bool negative, const std::string& whole,
                                        const std::string& above) {
    const std::size_t back = at_;
    while (peek() == ' ' || peek() == '/') ++at_;
    const bool plain_slash = at_ - back <= 3;
    if (peek() == '-') {
      negative = !negative;
      ++at_;
    }
    const std::string below = strip_zeros(read_whole());
    const bool more = (peek() == '/' && is_digit(peek(1))) || (peek() == '.' && is_digit(peek(1)));
    if (!plain_slash || below == "0" || more || above.empty() ||
        std::max({below.size(), above.size(), whole.size()}) > kLongestFractionPart) {
      at_ = back;
      return std::nullopt;
    }
    const std::string top = strip_zeros(above);
    if (strip_zeros(whole) == "0") return fraction_value(negative, top, below);
    if (std::max({whole.size() + below.size(), top.size()}) >= kLongestSmall) {
      at_ = back;
      return std::nullopt;
    }
    const std::int64_t sum = std::stoll(whole) * std::stoll(below) + std::stoll(top);
    return fraction_value(negative, std::to_string(sum), below);
  }

  std::string_view plain_;
  std::size_t begin_;
  std::size_t at_;
};

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

bool tied_to_more(std::string_view claim, std::size_t end) {
  while (end < claim.size() && claim[end] == ' ') ++end;
  if (end >= claim.size()) return false;
  const char c = claim[end];
  const std::size_t next = claim.find_first_not_of(" $", end + 1);
  const bool operand = next != std::string_view::npos &&
                       (is_digit(claim[next]) || claim[next] == '(' || claim[next] == '-');
  return c == '^' || c == '=' ||
         (operand && std::string_view("+-*/,:").find(c) != std::string_view::npos);
}

}  // namespace

std::optional<NumberToken> next_number(std::string_view plain, std::size_t from) {
  for (std::size_t i = from; i < plain.size();) {
    std::size_t digits = i;
    if (plain[i] == '-' || plain[i] == '+') digits += is_sign(plain, i) ? 1 : 0;
    while (digits < plain.size() && plain[digits] == '$') ++digits;
    if (digits > i && digits < plain.size() && plain[digits] == '-') ++digits;
    const bool point =
        digits + 1 < plain.size() && plain[digits] == '.' && is_digit(plain[digits + 1]) &&
        (digits == 0 || (!is_digit(plain[digits - 1]) && !is_letter(plain[digits - 1])));
    if (digits >= plain.size() || (!is_digit(plain[digits]) && !point)) {
      i = std::max(i + 1, digits);
      continue;
    }
    if (glued(plain, digits)) {
      i = digits + 1;
      while (i < plain.size() && is_digit(plain[i])) ++i;
      continue;
    }
    NumberReader reader(plain, i);
    if (auto token = reader.read()) return token;
    i = std::max(reader.at(), digits + 1);
  }
  return std::nullopt;
}

std::optional<std::string> claimed_number(std::string_view claim) {
  for (std::size_t i = 0; i < claim.size(); ++i) {
    if (word_at(claim, i, "not") || word_at(claim, i, "isn't")) {
      const auto first = next_number(claim, 0);
      if (!first || first->begin > i) return std::nullopt;
      break;
    }
  }
  const std::size_t begin = claim.find_first_not_of(" \n*_:\"`'([");
  if (begin == std::string_view::npos) return std::nullopt;
  if (const auto first = next_number(claim, begin);
      first && first->begin == begin && !tied_to_more(claim, first->end)) {
    return first->value;
  }
  const std::size_t equals = claim.rfind('=');
  const auto only = next_number(claim, equals == std::string_view::npos ? 0 : equals + 1);
  if (!only || next_number(claim, only->end)) return std::nullopt;
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
