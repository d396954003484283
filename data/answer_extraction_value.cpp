#include "data/answer_extraction_value.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace softcot {
namespace {

// Magnitudes as base-10^9 digits, lowest first, for exact comparison of fractions.
std::vector<std::uint32_t> to_limbs(std::string_view digits) {
  std::vector<std::uint32_t> limbs;
  for (std::size_t end = digits.size(); end > 0;) {
    const std::size_t begin = end > 9 ? end - 9 : 0;
    limbs.push_back(
        static_cast<std::uint32_t>(std::stoul(std::string(digits.substr(begin, end - begin)))));
    end = begin;
  }
  return limbs;
}

std::vector<std::uint32_t> product(std::string_view left, std::string_view right) {
  constexpr std::uint64_t kBase = 1'000'000'000;
  const std::vector<std::uint32_t> a = to_limbs(left);
  const std::vector<std::uint32_t> b = to_limbs(right);
  std::vector<std::uint32_t> out(a.size() + b.size() + 1, 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.size() || carry != 0; ++j) {
      const std::uint64_t factor = j < b.size() ? b[j] : 0;
      const std::uint64_t sum = out[i + j] + std::uint64_t{a[i]} * factor + carry;
      out[i + j] = static_cast<std::uint32_t>(sum % kBase);
      carry = sum / kBase;
    }
  }
  while (!out.empty() && out.back() == 0) out.pop_back();
  return out;
}

struct Ratio {
  bool negative = false;
  std::string above;
  std::string below;
};

Ratio to_ratio(std::string_view value) {
  Ratio ratio;
  if (!value.empty() && value.front() == '-') {
    ratio.negative = true;
    value.remove_prefix(1);
  }
  const std::size_t slash = value.find('/');
  const std::size_t point = value.find('.');
  if (slash != std::string_view::npos) {
    ratio.above = value.substr(0, slash);
    ratio.below = value.substr(slash + 1);
  } else if (point != std::string_view::npos) {
    ratio.above = std::string(value.substr(0, point)) + std::string(value.substr(point + 1));
    ratio.below = "1" + std::string(value.size() - point - 1, '0');
  } else {
    ratio.above = value;
    ratio.below = "1";
  }
  return ratio;
}

}  // namespace

std::string strip_zeros(std::string_view digits) {
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? "0" : std::string(digits.substr(first));
}

std::string decimal_value(bool negative, std::string_view whole, std::string_view part) {
  while (!part.empty() && part.back() == '0') part.remove_suffix(1);
  std::string out = strip_zeros(whole);
  if (!part.empty()) out += "." + std::string(part);
  return negative && out != "0" ? "-" + out : out;
}

std::string fraction_value(bool negative, const std::string& above, const std::string& below) {
  if (above.size() > kLongestSmall || below.size() > kLongestSmall) {
    return (negative ? "-" : "") + above + "/" + below;
  }
  std::int64_t a = std::stoll(above);
  std::int64_t b = std::stoll(below);
  const std::int64_t divisor = std::gcd(a, b);
  a /= divisor;
  b /= divisor;
  std::int64_t rest = b;
  while (rest % 2 == 0) rest /= 2;
  while (rest % 5 == 0) rest /= 5;
  if (rest != 1) return (negative ? "-" : "") + std::to_string(a) + "/" + std::to_string(b);
  std::string digits;
  __extension__ using Wide = __int128;
  for (Wide left = a % b; left != 0; left = left * 10 % b) {
    digits += static_cast<char>('0' + static_cast<int>(left * 10 / b));
  }
  return decimal_value(negative, std::to_string(a / b), digits);
}

bool same_value(std::string_view left, std::string_view right) {
  if (left == right) return true;
  if (left.find('/') == std::string_view::npos && right.find('/') == std::string_view::npos)
    return false;
  if (std::max(left.size(), right.size()) > 2 * kLongestFractionPart + 2) return false;
  const Ratio a = to_ratio(left);
  const Ratio b = to_ratio(right);
  return a.negative == b.negative && product(a.above, b.below) == product(b.above, a.below);
}

}  // namespace softcot
