#include "launch/run/training_stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/run/method.h"
#include "runtime/error.h"

namespace softcot {
namespace {

void require_peak(const RunOptions& run, std::int64_t total) {
  const std::int64_t warmup = run.train.schedule.warmup_steps;
  if (warmup == 0 || warmup < total) return;
  fail(ExitCode::kUsage, {.what = "warm-up as long as the training",
                          .where = "train.warmup-steps",
                          .expected = fmt::format("below {}, the steps of the training", total),
                          .got = std::to_string(warmup),
                          .fix = "train for longer, or lower train.warmup-steps"});
}

void require_hidden_steps(const CoconutOptions& coconut, const Split& split) {
  std::int64_t longest = 0;
  for (const Record& record : split.records) {
    longest = std::max(longest, static_cast<std::int64_t>(record.rationale_steps.size()));
  }
  if (coconut.max_stage <= longest) return;
  fail(ExitCode::kUsage, {.what = "a stage of Coconut beyond the rationales' steps",
                          .where = "coconut.max-stage",
                          .expected = fmt::format("at most {}, the steps of the longest", longest),
                          .got = std::to_string(coconut.max_stage),
                          .fix = fmt::format("give --coconut.max-stage {}", longest)});
}

}  // namespace

std::vector<Stage> training_stages(const RunOptions& run, const Split& split, std::int64_t rows) {
  const std::int64_t total = total_steps(run.train, rows);
  require_peak(run, total);
  if (!method_of(run.method).coconut) return {{0, total}};
  require_hidden_steps(run.coconut, split);
  return Curriculum(run.coconut).schedule(total, rows, run.train.batch);
}

}  // namespace softcot
