#include "trainer/train_loop.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "checkpoints/compatibility.h"
#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "checkpoints/writer.h"
#include "runtime/error.h"
#include "runtime/fault_point.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "runtime/random.h"
#include "trainer/metrics.h"
#include "trainer/precompute.h"

namespace softcot {
namespace {

/// Rows forwarded at once when the held-out loss is taken.
constexpr std::int64_t kHeldoutBatch = 8;

HostTensor to_host(const at::Tensor& tensor) {
  const auto data = tensor.to(at::kCPU, at::kFloat).contiguous();
  const std::vector<std::uint64_t> shape(data.sizes().begin(), data.sizes().end());
  return HostTensor::of_floats(
      shape, {data.const_data_ptr<float>(), static_cast<std::size_t>(data.numel())});
}

}  // namespace

std::int64_t total_steps(const TrainOptions& options, std::int64_t rows) {
  if (options.steps > 0) return options.steps;
  return static_cast<std::int64_t>(
      std::ceil(options.epochs * static_cast<double>(rows) / static_cast<double>(options.batch)));
}

TrainLoop::TrainLoop(const SoftPromptModel& model, const TrainedParts& parts, ThoughtRows& rows,
                     ThoughtRows* heldout, const TrainOptions& options, const ProcessGroups& groups,
                     TrainFiles files, nlohmann::json identity)
    : model_(model),
      parts_(parts),
      rows_(rows),
      heldout_(heldout),
      options_(options),
      groups_(groups),
      files_(std::move(files)),
      identity_(std::move(identity)),
      sampler_(rows.size(), options.seed),
      optimizer_(parts.parameters(), options.optimizer),
      train_step_(model, parts, optimizer_, *groups.dp, *groups.tp),
      total_(total_steps(options, rows.size())) {}

TrainEnd TrainLoop::run(const std::function<bool()>& stop) {
  const bool first_rank = groups_.world->rank() == 0;
  MetricsLog metrics(first_rank ? files_.metrics : std::filesystem::path());
  metrics.drop_from_step(step_);
  Progress progress("train", static_cast<std::uint64_t>(total_), "steps", first_rank);
  progress.advance(static_cast<std::uint64_t>(step_));
  if (step_ == 0 && heldout_ != nullptr) metrics.write_heldout(0, evaluate());

  while (step_ < total_) {
    const double learning_rate =
        options_.optimizer.learning_rate * schedule_factor(options_.schedule, step_, total_);
    StepMetrics line;
    line.result = run_step(learning_rate, line.data_seconds);
    ++step_;
    line.step = step_;
    line.epoch = static_cast<double>(step_ * options_.batch) / static_cast<double>(rows_.size());
    line.learning_rate = learning_rate;
    if (heldout_ != nullptr && (step_ == total_ || due(options_.evaluate_every))) {
      line.heldout_loss = evaluate();
    }
    metrics.write(line);
    fault_point("train.step");
    progress.advance(1, fmt::format("loss {:.4f}", line.result.loss));

    if (step_ < total_ && stop_agreed(stop)) {
      save();
      log_warning("stopped at step {} of {} on request, checkpoint saved", step_, total_);
      return TrainEnd::kStopped;
    }
    if (step_ == total_ || due(options_.checkpoint_every)) save();
  }
  progress.finish();
  return TrainEnd::kFinished;
}

StepResult TrainLoop::run_step(double learning_rate, double& data_seconds) {
  const auto start = std::chrono::steady_clock::now();
  const auto global = sampler_.global_batch(step_, options_.batch);
  const auto share = rank_share(global, groups_.dp_index, groups_.mesh.dp());
  auto batches = rows_.batches(share, options_.accumulation);
  for (auto& batch : batches) {
    for (auto& row : batch.rows) row.noise = noise_of(row);
  }
  data_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  try {
    return train_step_.run(batches, learning_rate);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kNumerics) throw;
    std::vector<std::string> ids;
    for (const auto index : global) ids.push_back(rows_.row(index).id);
    Problem problem = error.problem();
    problem.where = fmt::format("step {}, rows {}", step_ + 1, fmt::join(ids, " "));
    fail(ExitCode::kNumerics, problem);
  }
}

/// A function of seed, step and row alone: the same after a resume and on every layout.
std::uint64_t TrainLoop::noise_of(const SoftRow& row) const {
  RandomStream stream(options_.seed, RandomPurpose::kDropout,
                      {static_cast<std::uint64_t>(step_), row_key(row.id)});
  return stream.next_u64();
}

bool TrainLoop::due(std::int64_t every) const { return every > 0 && step_ % every == 0; }

bool TrainLoop::stop_agreed(const std::function<bool()>& stop) const {
  const std::int64_t mine = stop() ? 1 : 0;
  return reduce_scalar(*groups_.world, mine, ReduceOp::kMax) != 0;
}

double TrainLoop::evaluate() {
  const auto batches = heldout_->all(kHeldoutBatch, groups_.dp_index, groups_.mesh.dp());
  return heldout_loss(model_, parts_, batches, *groups_.dp);
}

void TrainLoop::save() {
  if (groups_.world->rank() == 0) {
    TrainingState state;
    state.step = static_cast<std::uint64_t>(step_);
    const auto seen = static_cast<std::uint64_t>(step_ * options_.batch);
    state.epoch = seen / static_cast<std::uint64_t>(rows_.size());
    state.samples_seen = seen % static_cast<std::uint64_t>(rows_.size());
    state.metadata = identity_;
    for (const auto& parameter : optimizer_.state()) {
      state.tensors[parameter.name] = to_host(parameter.value);
    }
    write_checkpoint(files_.checkpoints, state);
    apply_retention(files_.checkpoints, options_.retention);
  }
  groups_.world->barrier();
}

void TrainLoop::resume() {
  // One rank reads and all take over its bytes: a file system that shows ranks different
  // checkpoints cannot make them differ.
  std::int64_t found = 0;
  LoadedCheckpoint loaded;
  if (groups_.world->rank() == 0) {
    remove_leftovers(files_.checkpoints);
    found = list_checkpoints(files_.checkpoints).empty() ? 0 : 1;
    if (found != 0) {
      loaded = read_latest_checkpoint(files_.checkpoints);
      check_compatible(identity_, loaded.state.metadata, loaded.path.string());
    }
  }
  if (reduce_scalar(*groups_.world, found, ReduceOp::kMax) == 0) return;
  step_ =
      reduce_scalar(*groups_.world, static_cast<std::int64_t>(loaded.state.step), ReduceOp::kMax);
  const at::NoGradGuard no_grad;
  for (auto& parameter : optimizer_.state()) {
    if (groups_.world->rank() == 0) restore(loaded, parameter);
    groups_.world->broadcast(parameter.value, 0);
  }
  log_info("resumed at step {} of {} from {}", step_, total_, loaded.path.string());
}

void TrainLoop::restore(const LoadedCheckpoint& loaded, Parameter& parameter) {
  const auto found = loaded.state.tensors.find(parameter.name);
  const auto bytes = parameter.value.nbytes();
  if (found == loaded.state.tensors.end() || found->second.bytes.size() != bytes) {
    fail(ExitCode::kCheckpoint,
         {.what = "checkpoint does not hold what this run needs",
          .where = loaded.path.string(),
          .expected = fmt::format("tensor {} of {} bytes", parameter.name, bytes)});
  }
  std::memcpy(parameter.value.mutable_data_ptr(), found->second.bytes.data(), bytes);
}

}  // namespace softcot
