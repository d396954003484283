#pragma once

#include <cstdint>

namespace softcot {

enum class Schedule { kLinear, kCosine, kConstant };

/// Learning rate as a pure function of the step: rises linearly from 0 over the warm-up, then
/// decays to 0 at the last step (kLinear, kCosine) or stays (kConstant).
struct ScheduleOptions {
  Schedule kind = Schedule::kLinear;
  std::int64_t warmup_steps = 0;
};

/// Factor in [0, 1] for the update number `step`, 0 … total - 1. With a linear decay and no warm-up
/// it is 1 - step / total: the first update is at the full rate, as in the Transformers library.
double schedule_factor(const ScheduleOptions& options, std::int64_t step, std::int64_t total);

}  // namespace softcot
