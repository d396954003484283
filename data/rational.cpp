#include "data/rational.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numeric>

namespace softcot {
namespace {

__extension__ using Wide = __int128;  // Holds any product of two parts.

constexpr int kMaxPlaces = 9;
constexpr int kMaxPower = 9;

Wide magnitude(Wide a) { return a < 0 ? -a : a; }

Wide common_divisor(Wide a, Wide b) {
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

std::optional<Rational> reduced(Wide top, Wide bottom) {
  if (bottom == 0) return std::nullopt;
  const Wide divisor = common_divisor(magnitude(top), magnitude(bottom)) * (bottom < 0 ? -1 : 1);
  top /= divisor;
  bottom /= divisor;
  constexpr Wide kMost = std::numeric_limits<std::int64_t>::max();
  if (magnitude(top) > kMost || bottom > kMost) return std::nullopt;
  return Rational::of(static_cast<std::int64_t>(top), static_cast<std::int64_t>(bottom));
}

std::optional<std::int64_t> whole_root(std::int64_t square) {
  if (square < 0) return std::nullopt;
  const auto root = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(square))));
  if (Wide{root} * root != square) return std::nullopt;
  return root;
}

}  // namespace

std::optional<Rational> Rational::of(std::int64_t top, std::int64_t bottom) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  if (bottom == 0 || top == kLeast || bottom == kLeast) return std::nullopt;
  const std::int64_t divisor = std::gcd(top, bottom) * (bottom < 0 ? -1 : 1);
  Rational result;
  result.top_ = top / divisor;
  result.bottom_ = bottom / divisor;
  return result;
}

std::optional<Rational> Rational::parse(std::string_view decimal) {
  constexpr std::size_t kMaxDigits = 18;
  std::int64_t top = 0;
  std::int64_t bottom = 1;
  std::size_t digits = 0;
  bool point = false;
  for (const char c : decimal) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9' || ++digits > kMaxDigits) return std::nullopt;
    top = top * 10 + (c - '0');
    if (point) bottom *= 10;
  }
  if (digits == 0) return std::nullopt;
  return of(top, bottom);
}

std::optional<int> Rational::places() const {
  std::int64_t scale = 1;
  for (int places = 0; places <= kMaxPlaces; ++places, scale *= 10) {
    if (scale % bottom_ == 0) return places;
  }
  return std::nullopt;
}

std::string Rational::text() const {
  const std::optional<int> count = places();
  if (is_whole()) return std::to_string(top_);
  if (!count) return fmt::format("{}/{}", top_, bottom_);
  Wide scaled = magnitude(top_);
  for (int i = 0; i < *count; ++i) scaled *= 10;
  scaled /= bottom_;
  std::string digits;
  for (int i = 0; i <= *count || scaled > 0; ++i) {
    if (i == *count) digits.insert(0, 1, '.');
    digits.insert(0, 1, static_cast<char>('0' + static_cast<int>(scaled % 10)));
    scaled /= 10;
  }
  return (top_ < 0 ? "-" : "") + digits;
}

std::optional<Rational> add(Rational a, Rational b) {
  return reduced(Wide{a.top_} * b.bottom_ + Wide{b.top_} * a.bottom_, Wide{a.bottom_} * b.bottom_);
}

std::optional<Rational> subtract(Rational a, Rational b) {
  return reduced(Wide{a.top_} * b.bottom_ - Wide{b.top_} * a.bottom_, Wide{a.bottom_} * b.bottom_);
}

std::optional<Rational> multiply(Rational a, Rational b) {
  return reduced(Wide{a.top_} * b.top_, Wide{a.bottom_} * b.bottom_);
}

std::optional<Rational> divide(Rational a, Rational b) {
  return reduced(Wide{a.top_} * b.bottom_, Wide{a.bottom_} * b.top_);
}

std::optional<Rational> power(Rational a, Rational b) {
  if (b == Rational::of(1, 2)) {
    const auto top = whole_root(a.top_);
    const auto bottom = whole_root(a.bottom_);
    return top && bottom ? Rational::of(*top, *bottom) : std::nullopt;
  }
  if (!b.is_whole() || b.top_ < 0 || b.top_ > kMaxPower) return std::nullopt;
  std::optional<Rational> result = Rational(1);
  for (std::int64_t i = 0; i < b.top_ && result; ++i) result = multiply(*result, a);
  return result;
}

bool Rational::operator<(const Rational& other) const {
  return Wide{top_} * other.bottom_ < Wide{other.top_} * bottom_;
}

}  // namespace softcot
