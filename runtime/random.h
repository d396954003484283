#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace softcot {

/// What random numbers are drawn for. Part of every stream's key, so that two uses never share one.
/// The numbers are for ever: results on disk were made with them.
enum class RandomPurpose : std::uint64_t {
  kDataOrder = 1,
  kInitialWeights = 2,
  kDropout = 3,
  kSampling = 4,
  kAugmentation = 5,
  kBootstrap = 6,
  kTest = 7,
};

/// A stream of random numbers that is a pure function of (seed, purpose, keys): it depends neither
/// on rank, thread or batch nor on what was drawn elsewhere, and never changes between versions.
///
/// Algorithm: key = mix(seed + G); key = mix(key ^ purpose·C); then for the j-th further key (from
/// 1) key = mix((key + j) ^ key_j·C). The i-th draw (from 1) is mix(key + i·G): SplitMix64 started
/// at `key`, where mix is its finaliser, G = 2^64 / golden ratio and C an odd constant.
/// Not for secrets.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, RandomPurpose purpose,
               std::initializer_list<std::uint64_t> keys = {});

  std::uint64_t next_u64();

  /// In [0, 1), a multiple of 2^-53.
  double uniform();

  /// In [0, bound), each value equally likely. `bound` > 0.
  std::uint64_t below(std::uint64_t bound);

  /// Mean 0, variance 1 (Box–Muller, two draws each; the same on every machine up to the last bits
  /// of the C library's log and cos).
  double normal();

  /// Numbers drawn so far: `skip_to(drawn())` of an equal stream continues here.
  std::uint64_t drawn() const { return drawn_; }
  void skip_to(std::uint64_t drawn) { drawn_ = drawn; }

 private:
  std::uint64_t key_;
  std::uint64_t drawn_ = 0;
};

/// 0 … n-1 in the order of one epoch (Fisher–Yates), a pure function of its arguments.
std::vector<std::uint64_t> permutation(std::uint64_t n, std::uint64_t seed, std::uint64_t epoch);

}  // namespace softcot
