#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace softcot {

/// A fraction in lowest terms with a positive denominator. Exact: an operation whose result does
/// not fit gives nothing.
class Rational {
 public:
  Rational() = default;
  Rational(std::int64_t whole) : top_(whole) {}  // NOLINT: a whole number is one

  /// Nothing if `bottom` is 0 or a part does not fit.
  static std::optional<Rational> of(std::int64_t top, std::int64_t bottom);
  /// "12", "3.50", ".5": digits with at most one point among them, and no sign.
  static std::optional<Rational> parse(std::string_view decimal);

  std::int64_t top() const { return top_; }
  std::int64_t bottom() const { return bottom_; }
  bool is_whole() const { return bottom_ == 1; }
  /// Places after the point; nothing if the decimal does not end within 9.
  std::optional<int> places() const;
  /// "2.5"; "1/3" if the decimal does not end.
  std::string text() const;

  friend std::optional<Rational> add(Rational a, Rational b);
  friend std::optional<Rational> subtract(Rational a, Rational b);
  friend std::optional<Rational> multiply(Rational a, Rational b);
  /// Nothing if b is 0.
  friend std::optional<Rational> divide(Rational a, Rational b);
  /// a^b for whole b from 0 to 9, and the root if b is 1/2; nothing if that is not a fraction.
  friend std::optional<Rational> power(Rational a, Rational b);

  bool operator==(const Rational&) const = default;
  bool operator<(const Rational& other) const;

 private:
  std::int64_t top_ = 0;
  std::int64_t bottom_ = 1;
};

}  // namespace softcot
