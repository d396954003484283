#include "evaluation/sampling.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <vector>

#include "model/logits.h"

namespace softcot {
namespace {

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

  std::vector<double> weights(size);
  double mass = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    weights[i] = std::exp((static_cast<double>(data[i]) - data[best]) / options.temperature);
    mass += weights[i];
  }
  std::vector<std::int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  if (options.top_p < 1.0) {
    // Those that are lighter add up to less than what top-p leaves out: they need not be sorted.
    const double lightest = (1.0 - options.top_p) * mass / static_cast<double>(size);
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
  return draw(weights, order, stream.uniform() * mass);
}

at::Tensor sample_tokens(const at::Tensor& logits, const SamplingOptions& options,
                         const at::Tensor& draws) {
  auto weights = logits.to(at::kDouble).div_(options.temperature).softmax(1);
  at::Tensor order;
  if (options.top_p < 1.0) {
    std::tie(weights, order) = weights.sort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
    weights.mul_((weights.cumsum(1) - weights).lt(options.top_p));
  }
  const auto sums = weights.cumsum(1);
  const auto mass = sums.narrow(1, sums.size(1) - 1, 1);
  // Below the whole mass, even rounded: so that the first sum above it is of a token with a weight.
  const auto threshold = (draws.unsqueeze(1) * mass).minimum(mass * (1 - 1e-15));
  const auto chosen = at::searchsorted(sums, threshold, /*out_int32=*/false, /*right=*/true);
  return (order.defined() ? order.gather(1, chosen) : chosen).squeeze(1);
}

}  // namespace softcot
