#pragma once

#include <chrono>

namespace softcot {

class Stopwatch {
 public:
  /// Adds the time since the last call, or since it was made, to `seconds`.
  void lap(double& seconds) { seconds += lap(); }
  /// That time, in seconds.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> taken = now - last_;
    last_ = now;
    return taken.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace softcot
