#include "trainer/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace softcot {

double schedule_factor(const ScheduleOptions& options, std::int64_t step, std::int64_t total) {
  const std::int64_t warmup = options.warmup_steps;
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  if (options.kind == Schedule::kConstant || total <= warmup) return 1.0;
  const double done = std::clamp(
      static_cast<double>(step - warmup) / static_cast<double>(total - warmup), 0.0, 1.0);
  if (options.kind == Schedule::kCosine) return 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return 1.0 - done;
}

}  // namespace softcot
