#include "runtime/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace softcot {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;   // 2^64 / golden ratio, odd
constexpr std::uint64_t kKeyStep = 0xd6e8feb86659fd93;  // odd: multiplying loses nothing

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, RandomPurpose purpose,
                           std::initializer_list<std::uint64_t> keys)
    : key_(mix(seed + kGolden)) {
  key_ = mix(key_ ^ static_cast<std::uint64_t>(purpose) * kKeyStep);
  std::uint64_t position = 0;
  for (const std::uint64_t key : keys) key_ = mix((key_ + ++position) ^ key * kKeyStep);
}

std::uint64_t RandomStream::next_u64() { return mix(key_ + ++drawn_ * kGolden); }

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

std::uint64_t RandomStream::below(std::uint64_t bound) {
  // Draws under 2^64 mod bound are thrown away: what is left is a multiple of the bound.
  const std::uint64_t rejected = (0 - bound) % bound;
  std::uint64_t drawn = next_u64();
  while (drawn < rejected) drawn = next_u64();
  return drawn % bound;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::vector<std::uint64_t> permutation(std::uint64_t n, std::uint64_t seed, std::uint64_t epoch) {
  RandomStream random(seed, RandomPurpose::kDataOrder, {epoch});
  std::vector<std::uint64_t> order(n);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  for (std::uint64_t left = n; left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

}  // namespace softcot
