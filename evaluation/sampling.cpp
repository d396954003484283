#include "evaluation/sampling.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

#include "model/logits.h"

namespace softcot {
namespace {

/// The ids, ascending, of the `k` largest logits and of those equal to the k-th; of all for k = 0.
std::vector<std::int64_t> largest_ids(const float* logits, std::int64_t size, std::int64_t k) {
  std::vector<std::int64_t> ids(size);
  std::iota(ids.begin(), ids.end(), 0);
  if (k == 0 || k >= size) return ids;
  std::vector<float> sorted(logits, logits + size);
  std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<>());
  const float least = sorted[k - 1];
  std::erase_if(ids, [&](std::int64_t id) { return logits[id] < least; });
  return ids;
}

/// Tokens' probabilities, zero where a filter has removed them.
struct Weights {
  at::Tensor values;  // [B, V] float64, up to a factor of each row.
  at::Tensor order;   // [B, V] int64, the token of each value; undefined: in the order of ids.
};

Weights filtered(at::Tensor logits, const SamplingOptions& options) {
  if (options.top_k > 0 && options.top_k < logits.size(1)) {
    const auto largest = std::get<0>(logits.topk(options.top_k, 1));
    const auto least = largest.narrow(1, options.top_k - 1, 1);
    logits = logits.masked_fill(logits.lt(least), -std::numeric_limits<double>::infinity());
  }
  Weights weights{logits.to(at::kDouble).div_(options.temperature).softmax(1), {}};
  auto& values = weights.values;
  if (options.top_p < 1.0) {
    std::tie(values, weights.order) = values.sort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
    values.mul_((values.cumsum(1) - values).lt(options.top_p));
  }
  if (options.min_p > 0.0) {
    values.mul_(values.ge(values.amax(1, /*keepdim=*/true) * options.min_p));
  }
  return weights;
}

/// The index of the first weight at which the running sum exceeds `threshold`.
template <typename Order>
std::int64_t draw(const std::vector<double>& weights, const Order& order, double threshold) {
  double sum = 0;
  for (const auto id : order) {
    sum += weights[id];
    if (sum > threshold) return id;
  }
  return order.back();
}

}  // namespace

std::int64_t sample_token(const at::Tensor& logits, const SamplingOptions& options,
                          RandomStream& stream) {
  const auto* data = logits.const_data_ptr<float>();
  const std::int64_t size = logits.numel();
  const auto best = largest_logits(logits.view({1, size})).index.item<std::int64_t>();
  if (options.temperature == 0.0) return best;

  auto order = largest_ids(data, size, options.top_k);
  std::vector<double> weights(size);  // Of the likeliest token: 1.
  double mass = 0;
  for (const auto id : order) {
    weights[id] = std::exp((static_cast<double>(data[id]) - data[best]) / options.temperature);
    mass += weights[id];
  }
  if (options.top_p < 1.0) {
    // Those that are lighter add up to less than what top-p leaves out: they need not be sorted.
    const double lightest = (1.0 - options.top_p) * mass / static_cast<double>(order.size());
    std::erase_if(order, [&](std::int64_t id) { return weights[id] < lightest; });
    std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
    });
    double kept = 0;
    std::size_t count = 0;
    while (count < order.size() && kept < options.top_p * mass) kept += weights[order[count++]];
    order.resize(count);
    mass = kept;
  }
  if (options.min_p > 0.0) {
    mass = 0;
    std::erase_if(order, [&](std::int64_t id) { return weights[id] < options.min_p; });
    for (const auto id : order) mass += weights[id];
  }
  return draw(weights, order, stream.uniform() * mass);
}

at::Tensor token_probabilities(const at::Tensor& logits, const SamplingOptions& options) {
  auto [values, order] = filtered(logits, options);
  if (order.defined()) values = at::empty_like(values).scatter_(1, order, values);
  return values / values.sum(1, /*keepdim=*/true);
}

at::Tensor sample_tokens(const at::Tensor& logits, const SamplingOptions& options,
                         const at::Tensor& draws) {
  const auto [weights, order] = filtered(logits, options);
  const auto sums = weights.cumsum(1);
  const auto mass = sums.narrow(1, sums.size(1) - 1, 1);
  // Below the whole mass, even rounded: so that the first sum above it is of a token with a weight.
  const auto threshold = (draws.unsqueeze(1) * mass).minimum(mass * (1 - 1e-15));
  const auto chosen = at::searchsorted(sums, threshold, /*out_int32=*/false, /*right=*/true);
  return (order.defined() ? order.gather(1, chosen) : chosen).squeeze(1);
}

}  // namespace softcot
