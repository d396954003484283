#include "data/answer_extraction_number_reader.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "data/answer_extraction_text.h"
#include "data/answer_extraction_value.h"

namespace softcot {
namespace {

constexpr std::size_t kLongestExponent = 1000;  // 1e1000 is a number, 1e1001 is text.
constexpr long kMostScale = 24;                 // Of words in a row: a trillion trillions.
constexpr int kMostPairs = 8;                   // Two-digit groups in a row: 10^19 in crores.

// Words after a number that multiply it by a power of ten.
struct Scale {
  std::string_view word;
  long exponent;
};
constexpr std::array kScales = {Scale{"hundreds", 2}, Scale{"thousands", 3}, Scale{"trillions", 12},
                                Scale{"hundred", 2},  Scale{"thousand", 3},  Scale{"lakh", 5},
                                Scale{"million", 6},  Scale{"millions", 6},  Scale{"crore", 7},
                                Scale{"billion", 9},  Scale{"billions", 9},  Scale{"trillion", 12}};

// Reads one number whose digits begin at `at`; the caller has seen that one may begin there.
class NumberReader {
 public:
  NumberReader(std::string_view plain, std::size_t at) : plain_(plain), begin_(at), at_(at) {}

  /// Its value, or nothing.
  std::optional<std::string> read(bool negative) {
    const std::string whole = read_whole();
    const std::string part = read_part();
    if (whole.empty() && part.empty()) return std::nullopt;
    std::string value = finish(negative, whole, part);
    if (value.empty()) return std::nullopt;
    if (peek() == '%') ++at_;
    return value;
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

  // The digits after a decimal point.
  std::string read_part() {
    if (peek() != '.' || !is_digit(peek(1))) return {};
    ++at_;
    return read_digits();
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
    const bool date = begin_ > 0 && plain_[begin_ - 1] == '/';
    if (!date && (peek() == '/' || (peek() == ' ' && peek(1) == '/'))) {
      if (auto value = read_below(negative, "0", whole, part)) return *value;
    } else if (part.empty() && peek() == ' ' && is_digit(peek(1))) {
      const std::size_t back = at_++;
      const std::string above = read_digits();
      if (peek() == '/' && is_digit(peek(1))) {
        if (auto value = read_below(negative, whole, above, "")) return *value;
      }
      at_ = back;
    }
    if (const long scale = read_scale()) return shifted(negative, whole, part, scale);
    return decimal_value(negative, whole, part);
  }

  // " million", " hundred thousand": the power of ten, 0 for no such word.
  long read_scale() {
    long exponent = 0;
    for (bool found = true; found && exponent < kMostScale;) {
      found = false;
      const std::size_t word = at_ + (peek() == ' ' ? 1 : 0);
      for (const Scale& scale : kScales) {
        if (!word_at(plain_, word, scale.word)) continue;
        at_ = word + scale.word.size();
        exponent += scale.exponent;
        found = true;
      }
    }
    return exponent;
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
      if (peek() == '*' || (peek() == 'x' && at_ > back)) {
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

  // At the '/' after `above`.`above_part`; nothing, and no move, if what follows makes no fraction.
  std::optional<std::string> read_below(bool negative, const std::string& whole, std::string above,
                                        const std::string& above_part) {
    const std::size_t back = at_;
    while (peek() == ' ' || peek() == '/') ++at_;
    const bool plain_slash = at_ - back <= 3;
    if (peek() == '-') {
      negative = !negative;
      ++at_;
    }
    std::string below = read_whole();
    const std::string below_part = read_part();
    const bool more = (peek() == '/' || peek() == '.') && is_digit(peek(1));
    // 3.5 / 7 is 35 / 70.
    const bool complete = !above.empty() && !below.empty();
    above += above_part + std::string(below_part.size(), '0');
    below = strip_zeros(below + below_part + std::string(above_part.size(), '0'));
    if (!plain_slash || below == "0" || more || !complete ||
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

}  // namespace

ReadNumber read_number(std::string_view plain, std::size_t at, bool negative) {
  NumberReader reader(plain, at);
  std::optional<std::string> value = reader.read(negative);
  return {std::move(value), reader.at()};
}

}  // namespace softcot
