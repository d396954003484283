#pragma once

#include <deque>
#include <optional>

namespace softcot {

/// Notices a training loss that leaps: half again above the mean of the steps before, and six of
/// their standard deviations above it. Losses come in order, all finite. Local.
class LossWatch {
 public:
  /// The mean of the last losses if `loss` leaps above them, and remembers it as one of them. Never
  /// among the first 16.
  std::optional<double> leap(double loss);

 private:
  std::deque<double> last_;
};

}  // namespace softcot
