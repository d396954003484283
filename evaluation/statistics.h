#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace softcot {

/// docs/statistics.md has the formulas. Everything here is local and a pure function of its
/// arguments.

struct Interval {
  double low = 0;
  double high = 0;
};

/// A share of successes among independent questions.
struct Proportion {
  std::size_t successes = 0;
  std::size_t total = 0;
  double value = 0;           ///< In [0, 1].
  double standard_error = 0;  ///< Binomial, sqrt(p (1 - p) / n); 0 at p = 0 and 1.
  Interval wilson95;          ///< Stays inside [0, 1] and never has width 0.
};

/// Throws kInternal unless 0 <= successes <= total and total > 0.
Proportion proportion(std::size_t successes, std::size_t total);

/// Wilson's 95 % interval of a share `value` in [0, 1] of `total` > 0 independent questions, which
/// need not be whole. Stays inside [0, 1] and never has width 0.
Interval wilson95(double value, double total);

/// Over seeds. `deviation` (divisor n - 1) is missing for a single value.
struct Spread {
  std::size_t count = 0;
  double mean = 0;
  std::optional<double> deviation;
};

/// Throws kInternal for no values.
Spread spread(std::span<const double> values);

struct BootstrapOptions {
  std::uint64_t seed = 0;
  std::size_t resamples = 10'000;
  double level = 0.95;
};

/// A statistic of the questions as they are, and its percentile interval over resampled questions.
struct Estimate {
  double value = 0;
  Interval interval;
};

/// Questions are drawn with replacement, whole rows at a time, so that everything known of a
/// question stays paired. `columns[j][i]` is quantity j of question i; `statistic` gets the sum of
/// each column over the drawn questions. The draws depend on (seed, resample, position) alone.
/// Throws kInternal when there are no questions or the columns differ in length.
Estimate bootstrap(std::span<const std::span<const double>> columns,
                   const std::function<double(std::span<const double> sums)>& statistic,
                   const BootstrapOptions& options = {});

/// Mean of left[i] - right[i].
Estimate paired_mean_difference(std::span<const double> left, std::span<const double> right,
                                const BootstrapOptions& options = {});

/// Sum of nll[i] [nats] over sum of tokens[i]: negative log-likelihood per token.
Estimate ratio_of_sums(std::span<const double> nll, std::span<const double> tokens,
                       const BootstrapOptions& options = {});

/// The same questions under two methods.
struct PairedRatios {
  Estimate difference;  ///< left - right, in nats per token.
  Estimate relative;    ///< (left - right) / right; -0.12 is "12 % lower".
  /// `relative` in each resample, for simultaneous_intervals; empty where it was read from a file.
  std::vector<double> resampled = {};
};

PairedRatios paired_ratio_difference(std::span<const double> left_nll,
                                     std::span<const double> left_tokens,
                                     std::span<const double> right_nll,
                                     std::span<const double> right_tokens,
                                     const BootstrapOptions& options = {});

/// Intervals that hold all together with probability `level`, where each of several statistics
/// alone would have its own: value ± c · sd over resamples, with one c for all, the `level`
/// quantile over resamples of the largest |resampled - value| / sd (max-t). values[i] and
/// resampled[i] belong together; all have the same number of resamples, in the same order. One
/// whose resamples are all equal gets a zero-width interval and does not affect c. Throws kInternal
/// where lengths differ.
std::vector<Interval> simultaneous_intervals(std::span<const double> values,
                                             std::span<const std::vector<double>> resampled,
                                             double level = 0.95);

/// Holm-adjusted p-values (family-wise error rate), each at least p and at most 1, in the given
/// order.
std::vector<double> holm_adjusted(std::span<const double> p);

/// Exact two-sided McNemar test: the probability, if both methods were equally good, of a split of
/// the questions that only one of them solves at least as uneven as this one. 1 when there are
/// none.
double mcnemar_exact_p(std::size_t only_left, std::size_t only_right);

/// How many questions only one of two methods solves.
struct Discordance {
  std::size_t only_left = 0;
  std::size_t only_right = 0;
};

/// One p of that test under each of n seeds on the same questions. For each direction: n / k times
/// the k-th smallest one-sided p, k = n / 2 + 1; then twice that of the clearer direction, at most
/// 1. However the seeds depend on one another, a p below α comes up by chance with probability α
/// at most (Rüger, 1978), and only where most seeds point the same way. For one seed it is
/// mcnemar_exact_p. Throws kInternal for none.
double mcnemar_p_over_seeds(std::span<const Discordance> seeds);

/// pass@k for k = 1 … samples (at index k - 1): the probability that at least one of k samples
/// drawn without replacement from `samples`, of which `correct` are right, is right. Linear time.
/// Throws kInternal if correct > samples.
std::vector<double> pass_at_each_k(std::size_t samples, std::size_t correct);

/// How a sample without an answer votes.
enum class VoteRule {
  kStrict,     ///< Not at all.
  kReference,  ///< All of them together cast one vote, for "no answer", as the paper's code does.
};

}  // namespace softcot
