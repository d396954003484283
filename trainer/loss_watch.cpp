#include "trainer/loss_watch.h"

#include <cmath>
#include <cstddef>

namespace softcot {
namespace {

constexpr std::size_t kNeeded = 16;
constexpr std::size_t kRemembered = 64;
constexpr double kFactor = 1.5;
constexpr double kDeviations = 6;

}  // namespace

std::optional<double> LossWatch::leap(double loss) {
  std::optional<double> leapt;
  if (last_.size() >= kNeeded) {
    const auto count = static_cast<double>(last_.size());
    double mean = 0, variance = 0;
    for (const double each : last_) mean += each / count;
    for (const double each : last_) variance += (each - mean) * (each - mean) / (count - 1);
    if (loss > kFactor * mean && loss > mean + kDeviations * std::sqrt(variance)) leapt = mean;
  }
  last_.push_back(loss);
  if (last_.size() > kRemembered) last_.pop_front();
  return leapt;
}

}  // namespace softcot
