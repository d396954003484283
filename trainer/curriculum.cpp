#include "trainer/curriculum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/error.h"

namespace softcot {

std::int64_t Curriculum::hidden_steps(std::int64_t stage, std::int64_t steps) const {
  return stage > options_.max_stage ? steps : std::min(stage, steps);
}

std::int64_t Curriculum::latents(std::int64_t stage) const {
  if (options_.variant == CoconutVariant::kNoThought) return 0;
  return std::min(stage, options_.max_stage) * options_.latents_per_step;
}

std::int64_t Curriculum::latents(std::int64_t stage, std::int64_t steps) const {
  const std::int64_t all = latents(stage);
  if (stage <= options_.max_stage || options_.pad_latents) return all;
  return std::min(all, steps * options_.latents_per_step);
}

std::vector<Stage> Curriculum::schedule(std::int64_t total, std::int64_t rows,
                                        std::int64_t batch) const {
  if (options_.variant == CoconutVariant::kNoCurriculum) return {{last_stage(), total}};
  const double by_epochs =
      options_.epochs_per_stage * static_cast<double>(rows) / static_cast<double>(batch);
  const std::int64_t each = options_.steps_per_stage > 0
                                ? options_.steps_per_stage
                                : std::max<std::int64_t>(1, std::llround(by_epochs));
  if (last_stage() * each >= total) {
    fail(ExitCode::kUsage,
         {.what = "training ends before Coconut's last stage",
          .where = "train.steps, train.epochs",
          .expected = fmt::format("more than {} steps ({} stages of {})", last_stage() * each,
                                  last_stage(), each),
          .got = std::to_string(total),
          .fix = "train for longer, or lower coconut.epochs-per-stage or coconut.max-stage"});
  }
  std::vector<Stage> stages;
  for (std::int64_t stage = 0; stage < last_stage(); ++stage) {
    stages.push_back({stage, (stage + 1) * each});
  }
  stages.push_back({last_stage(), total});
  return stages;
}

}  // namespace softcot
