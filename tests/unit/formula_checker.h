#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>

namespace softcot::test {

/// Works out a formula in doubles, by itself: nothing of the code under test is in it.
class Checker {
 public:
  explicit Checker(std::string text) : text_(std::move(text)) { std::erase(text_, ' '); }
  double value() {
    const double result = sum();
    EXPECT_EQ(at_, text_.size()) << text_;
    return result;
  }
  /// The dividend and divisor of a formula that is one division.
  std::pair<double, double> division() {
    double left = raised();
    double right = 1;
    while (at_ < text_.size()) {
      const char sign = text_[at_++];
      if (sign == '*') {
        left *= raised();
      } else {
        if (right != 1) left /= right;
        right = raised();
      }
    }
    return {left, right};
  }

 private:
  double sum() {
    double total = product();
    while (text_[at_] == '+' || text_[at_] == '-') {
      total = text_[at_++] == '+' ? total + product() : total - product();
    }
    return total;
  }
  double product() {
    double total = raised();
    while (text_[at_] == '*' || text_[at_] == '/') {
      total = text_[at_++] == '*' ? total * raised() : total / raised();
    }
    return total;
  }
  double raised() {
    const double base = atom();
    if (text_[at_] != '^') return base;
    ++at_;
    return std::pow(base, atom());
  }
  double atom() {
    if (text_[at_] == '(') {
      ++at_;
      const double inside = sum();
      ++at_;
      return inside;
    }
    const std::string name = text_.substr(at_, 3);
    if (name == "GCD" || name == "LCM") {
      at_ += 4;
      const auto left = static_cast<std::int64_t>(sum());
      ++at_;
      const auto right = static_cast<std::int64_t>(sum());
      ++at_;
      return static_cast<double>(name == "GCD" ? std::gcd(left, right) : std::lcm(left, right));
    }
    std::size_t used = 0;
    const double number = std::stod(text_.substr(at_), &used);
    at_ += used;
    return number;
  }

  std::string text_;
  std::size_t at_ = 0;
};

inline double answer_of(const std::string& formula, const std::string& part) {
  if (part == "exact") return Checker(formula).value();
  const auto [dividend, divisor] = Checker(formula).division();
  const double quotient = std::floor(dividend / divisor);
  EXPECT_GT(dividend - quotient * divisor, 0) << formula;
  if (part == "rest") return dividend - quotient * divisor;
  return part == "quotient" ? quotient : quotient + 1;
}

}  // namespace softcot::test
