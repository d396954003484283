#include "evaluation/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "runtime/error.h"
#include "runtime/random.h"

namespace softcot {
namespace {

constexpr double kNormal975 = 1.959963984540054;

void require(bool holds, const char* what) {
  if (!holds) fail(ExitCode::kInternal, {.what = what, .where = "statistics"});
}

// Linear between order statistics, the lowest at 0 and the highest at 1.
double quantile(const std::vector<double>& sorted, double at) {
  const double position = at * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - std::floor(position));
}

Interval central(std::vector<double> values, double level) {
  std::sort(values.begin(), values.end());
  return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

/// Probability of at most `most` heads in n throws of a fair coin.
double binomial_tail(std::size_t n, std::size_t most) {
  const auto throws = static_cast<double>(n);
  double tail = 0;
  for (std::size_t k = 0; k <= most; ++k) {
    const auto heads = static_cast<double>(k);
    tail += std::exp(std::lgamma(throws + 1) - std::lgamma(heads + 1) -
                     std::lgamma(throws - heads + 1) - throws * std::log(2.0));
  }
  return tail;
}

using Sums = std::vector<double>;

Sums sums_as_they_are(std::span<const std::span<const double>> columns) {
  Sums sums;
  for (const std::span<const double> column : columns) {
    double sum = 0;
    for (const double value : column) sum += value;
    sums.push_back(sum);
  }
  return sums;
}

Sums resampled_sums(std::span<const std::span<const double>> columns,
                    const BootstrapOptions& options, std::size_t resample) {
  RandomStream draws(options.seed, RandomPurpose::kBootstrap, {resample});
  Sums sums(columns.size(), 0.0);
  const std::size_t rows = columns[0].size();
  for (std::size_t i = 0; i < rows; ++i) {
    const auto row = static_cast<std::size_t>(draws.below(rows));
    for (std::size_t j = 0; j < columns.size(); ++j) sums[j] += columns[j][row];
  }
  return sums;
}

}  // namespace

Interval wilson95(double value, double total) {
  require(total > 0 && value >= 0 && value <= 1, "a share lies in [0, 1], of something");
  const double z2 = kNormal975 * kNormal975;
  const double centre = (value + z2 / (2 * total)) / (1 + z2 / total);
  const double half = kNormal975 / (1 + z2 / total) *
                      std::sqrt(value * (1 - value) / total + z2 / (4 * total * total));
  return {value == 0 ? 0.0 : std::max(0.0, centre - half),
          value == 1 ? 1.0 : std::min(1.0, centre + half)};
}

Proportion proportion(std::size_t successes, std::size_t total) {
  require(total > 0 && successes <= total, "a proportion needs 0 <= successes <= total > 0");
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(successes) / n;
  return {.successes = successes,
          .total = total,
          .value = p,
          .standard_error = std::sqrt(p * (1 - p) / n),
          .wilson95 = wilson95(p, n)};
}

Spread spread(std::span<const double> values) {
  require(!values.empty(), "a mean needs at least one value");
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  Spread result{.count = values.size(), .mean = sum / n, .deviation = std::nullopt};
  if (values.size() == 1) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (n - 1));
  return result;
}

namespace {

using Statistic = std::function<double(std::span<const double> sums)>;

/// The statistic of each resample.
std::vector<double> resample(std::span<const std::span<const double>> columns,
                             const Statistic& statistic, const BootstrapOptions& options) {
  require(!columns.empty() && !columns[0].empty() && options.resamples > 0,
          "a bootstrap needs at least one question and one resample");
  for (const std::span<const double> column : columns) {
    require(column.size() == columns[0].size(), "paired columns differ in length");
  }
  std::vector<double> values(options.resamples);
  for (std::size_t r = 0; r < values.size(); ++r) {
    values[r] = statistic(resampled_sums(columns, options, r));
  }
  return values;
}

}  // namespace

Estimate bootstrap(std::span<const std::span<const double>> columns,
                   const std::function<double(std::span<const double> sums)>& statistic,
                   const BootstrapOptions& options) {
  auto values = resample(columns, statistic, options);
  return {statistic(sums_as_they_are(columns)), central(std::move(values), options.level)};
}

Estimate paired_mean_difference(std::span<const double> left, std::span<const double> right,
                                const BootstrapOptions& options) {
  const std::array columns = {left, right};
  const auto n = static_cast<double>(left.size());
  return bootstrap(
      columns, [n](std::span<const double> sums) { return (sums[0] - sums[1]) / n; }, options);
}

Estimate ratio_of_sums(std::span<const double> nll, std::span<const double> tokens,
                       const BootstrapOptions& options) {
  const std::array columns = {nll, tokens};
  return bootstrap(
      columns, [](std::span<const double> sums) { return sums[0] / sums[1]; }, options);
}

PairedRatios paired_ratio_difference(std::span<const double> left_nll,
                                     std::span<const double> left_tokens,
                                     std::span<const double> right_nll,
                                     std::span<const double> right_tokens,
                                     const BootstrapOptions& options) {
  const std::array columns = {left_nll, left_tokens, right_nll, right_tokens};
  const auto difference = [](std::span<const double> sums) {
    return sums[0] / sums[1] - sums[2] / sums[3];
  };
  const auto relative = [](std::span<const double> sums) {
    return (sums[0] / sums[1]) / (sums[2] / sums[3]) - 1;
  };
  auto resampled = resample(columns, relative, options);
  return {bootstrap(columns, difference, options),
          {relative(sums_as_they_are(columns)), central(resampled, options.level)},
          std::move(resampled)};
}

std::vector<Interval> simultaneous_intervals(std::span<const double> values,
                                             std::span<const std::vector<double>> resampled,
                                             double level) {
  require(values.size() == resampled.size(), "values and resamples differ in number");
  if (values.empty()) return {};
  std::vector<double> largest(resampled[0].size(), 0.0);
  std::vector<double> deviations;
  for (std::size_t i = 0; i < values.size(); ++i) {
    require(resampled[i].size() == largest.size(), "numbers of resamples differ");
    deviations.push_back(spread(resampled[i]).deviation.value_or(0));
    if (deviations[i] == 0) continue;
    for (std::size_t r = 0; r < largest.size(); ++r) {
      largest[r] = std::max(largest[r], std::abs(resampled[i][r] - values[i]) / deviations[i]);
    }
  }
  std::sort(largest.begin(), largest.end());
  const double factor = quantile(largest, level);
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < values.size(); ++i) {
    intervals.push_back({values[i] - factor * deviations[i], values[i] + factor * deviations[i]});
  }
  return intervals;
}

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    most = std::max(most, static_cast<double>(p.size() - rank) * p[order[rank]]);
    adjusted[order[rank]] = std::min(1.0, most);
  }
  return adjusted;
}

double mcnemar_exact_p(std::size_t only_left, std::size_t only_right) {
  return std::min(1.0, 2 * binomial_tail(only_left + only_right, std::min(only_left, only_right)));
}

double mcnemar_p_over_seeds(std::span<const Discordance> seeds) {
  require(!seeds.empty(), "a test over seeds needs one");
  const auto in_direction = [&](std::size_t Discordance::*other) {
    std::vector<double> tails;
    for (const Discordance& seed : seeds) {
      tails.push_back(binomial_tail(seed.only_left + seed.only_right, seed.*other));
    }
    std::sort(tails.begin(), tails.end());
    const std::size_t k = tails.size() / 2 + 1;
    return tails[k - 1] * static_cast<double>(tails.size()) / static_cast<double>(k);
  };
  return std::min(1.0, 2 * std::min(in_direction(&Discordance::only_left),
                                    in_direction(&Discordance::only_right)));
}

std::vector<double> pass_at_each_k(std::size_t samples, std::size_t correct) {
  require(correct <= samples, "pass@k needs correct <= samples");
  std::vector<double> pass;
  double all_wrong = 1;  // C(samples - correct, k) / C(samples, k).
  for (std::size_t k = 0; k < samples; ++k) {
    const std::size_t wrong = samples - correct > k ? samples - correct - k : 0;
    all_wrong *= static_cast<double>(wrong) / static_cast<double>(samples - k);
    pass.push_back(1 - all_wrong);
  }
  return pass;
}

}  // namespace softcot
