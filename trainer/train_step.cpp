#include "trainer/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>

#include "runtime/error.h"
#include "runtime/stopwatch.h"

namespace softcot {
namespace {

std::int64_t count_targets(const std::vector<TrainBatch>& batches) {
  std::int64_t total = 0;
  for (const auto& batch : batches) {
    for (const auto& row : batch.rows) total += row.targets();
  }
  return total;
}

std::int64_t count_tokens(const std::vector<TrainBatch>& batches) {
  std::int64_t total = 0;
  for (const auto& batch : batches) {
    for (const auto& row : batch.rows) total += static_cast<std::int64_t>(row.ids.size());
  }
  return total;
}

}  // namespace

TrainStep::TrainStep(const SoftPromptModel& model, const TrainedParts& parts, AdamW& optimizer,
                     Communicator& dp)
    : model_(model), parts_(parts), optimizer_(optimizer), dp_(dp) {
  const at::Device device = model.backbone().device();
  for (const Parameter& parameter : parts.parameters()) {
    if (parameter.value.device() == device) continue;
    fail(ExitCode::kInternal, {.what = "trained tensor on another device than the backbone",
                               .where = parameter.name,
                               .expected = device.str(),
                               .got = parameter.value.device().str()});
  }
}

StepResult TrainStep::run(const std::vector<TrainBatch>& batches, double learning_rate) {
  StepResult result;
  Stopwatch clock;
  // 1. Agree on the divisor: the number of targets of all ranks.
  auto counts = at::tensor({count_targets(batches), count_tokens(batches)}, at::kLong);
  dp_.all_reduce(counts, ReduceOp::kSum);
  result.targets = counts[0].item<std::int64_t>();
  result.tokens = counts[1].item<std::int64_t>();
  clock.lap(result.reduce_seconds);

  // 2. Forward and backward over this replica's rows.
  optimizer_.zero_gradients();
  std::vector<at::Tensor> shares;
  for (const auto& batch : batches) {
    accumulate(batch, static_cast<double>(result.targets), result, shares);
  }
  // 3. Sum loss and gradients over the ranks.
  reduce_gradients(shares, result);

  // 4. Update, unless some rank saw a number that is none.
  Stopwatch update;
  result.gradient_norm = optimizer_.clip_gradients();
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    fail(ExitCode::kNumerics,
         {.what = "loss or gradient is not finite",
          .got = fmt::format("loss {}, gradient norm {}", result.loss, result.gradient_norm),
          .fix = "lower train.learning-rate, look at the rows named, or for NaN in the weights: "
                 "softcot inspect MODEL --check-finite"});
  }
  optimizer_.step(learning_rate);
  update.lap(result.update_seconds);
  return result;
}

void TrainStep::accumulate(const TrainBatch& batch, double divisor, StepResult& result,
                           std::vector<at::Tensor>& shares) {
  if (batch.rows.empty()) return;
  Stopwatch clock;
  const auto soft = parts_.soft(model_, batch.rows, batch.thoughts);
  const auto share = model_.score(batch.rows, soft).nll.sum() / divisor;
  shares.push_back(share.detach());
  clock.lap(result.forward_seconds);
  share.backward();
  clock.lap(result.backward_seconds);
}

/// Nothing before this waits for a device; the loss is the first number that the host needs.
void TrainStep::reduce_gradients(const std::vector<at::Tensor>& shares, StepResult& result) {
  Stopwatch clock;
  optimizer_.reduce_gradients();
  double loss = 0;
  for (const auto& share : shares) loss += share.item<double>();
  result.loss = reduce_scalar(dp_, loss, ReduceOp::kSum);
  clock.lap(result.reduce_seconds);
}

double heldout_loss(const SoftPromptModel& model, const TrainedParts& parts,
                    const std::vector<TrainBatch>& batches, Communicator& dp) {
  const at::NoGradGuard no_grad;
  double nll = 0;
  for (const auto& batch : batches) {
    if (batch.rows.empty()) continue;
    const auto soft = parts.soft(model, batch.rows, batch.thoughts);
    nll += model.score(batch.rows, soft).nll.sum().item<double>();
  }
  nll = reduce_scalar(dp, nll, ReduceOp::kSum);
  const auto targets = reduce_scalar(dp, count_targets(batches), ReduceOp::kSum);
  if (!std::isfinite(nll)) {
    fail(ExitCode::kNumerics,
         {.what = "held-out loss is not finite",
          .got = fmt::format("{}", nll),
          .fix = "softcot inspect MODEL --check-finite looks into the weights"});
  }
  return nll / static_cast<double>(targets);
}

}  // namespace softcot
