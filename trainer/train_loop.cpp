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
#include "trainer/precompute.h"
#include "trainer/replica_check.h"

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

/// What TensorBoard shows of a step.
std::map<std::string, double> scalars_of(const StepMetrics& line) {
  std::map<std::string, double> values = {{"train/loss", line.result.loss},
                                          {"train/gradient_norm", line.result.gradient_norm},
                                          {"train/learning_rate", line.learning_rate},
                                          {"train/epoch", line.epoch},
                                          {"speed/tokens_per_second", line.tokens_per_second()}};
  if (line.heldout_loss) values["heldout/loss"] = *line.heldout_loss;
  return values;
}

/// Of an error that is being handled: a number that is none says where it was met.
[[noreturn]] void rethrow_at(const Error& error, std::string place) {
  if (error.code() != ExitCode::kNumerics) throw;
  Problem problem = error.problem();
  problem.where = std::move(place);
  fail(ExitCode::kNumerics, std::move(problem));
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::int64_t total_steps(const TrainOptions& options, std::int64_t rows) {
  if (options.steps > 0) return options.steps;
  return static_cast<std::int64_t>(
      std::ceil(options.epochs * static_cast<double>(rows) / static_cast<double>(options.batch)));
}

TrainLoop::TrainLoop(const SoftPromptModel& model, const TrainedParts& parts,
                     std::vector<TrainStage> stages, const TrainOptions& options,
                     const ProcessGroups& groups, TrainFiles files, nlohmann::json identity)
    : model_(model),
      parts_(parts),
      stages_(std::move(stages)),
      options_(options),
      groups_(groups),
      files_(std::move(files)),
      identity_(std::move(identity)),
      frozen_(model.backbone().trains_weights() ? "" : model.backbone().content_hash()),
      optimizer_(parts.parameters(), options.optimizer, *groups.dp, *groups.tp),
      train_step_(model, parts, optimizer_, *groups.dp) {
  for (const auto& stage : stages_) {
    options_.retention.keep_steps.push_back(static_cast<std::uint64_t>(stage.stage.end));
  }
}

TrainEnd TrainLoop::run(const std::function<bool()>& stop) {
  const bool first_rank = groups_.world->rank() == 0;
  MetricsLog metrics(first_rank ? files_.metrics : std::filesystem::path());
  metrics.drop_from_step(step_);
  TensorboardLog board(first_rank ? files_.tensorboard : std::filesystem::path());
  board.drop_from_step(step_);
  Progress progress("train", static_cast<std::uint64_t>(total()), "steps", first_rank);
  progress.advance(static_cast<std::uint64_t>(step_));
  while (step_ > now().stage.end) ++stage_;
  begin_stage();
  LossWatch watch;
  if (step_ == 0) evaluate_at_begin(metrics, board);

  while (step_ < total()) {
    if (ends_stage()) {
      ++stage_;
      if (options_.optimizer_reset != OptimizerReset::kNever) optimizer_.reset();
      begin_stage();
      watch = {};
      evaluate_at_begin(metrics, board);
    } else if (options_.optimizer_reset == OptimizerReset::kEpoch && begins_epoch()) {
      optimizer_.reset();
    }
    const StepMetrics line = take_step(watch);
    metrics.write(line);
    board.write(step_, scalars_of(line), wall_time());
    fault_point("train.step");
    progress.advance(1, fmt::format("loss {:.4f}", line.result.loss));

    if (step_ < total() && stop_agreed(stop)) return stop_here();
    if (ends_stage() || due(options_.checkpoint_every)) save();
  }
  progress.finish();
  // Once more: a kill may have come between the last save and this.
  if (first_rank) apply_retention(files_.checkpoints, options_.retention);
  require_frozen();
  if (!frozen_.empty()) metrics.write_frozen(step_, frozen_);
  return TrainEnd::kFinished;
}

StepMetrics TrainLoop::take_step(LossWatch& watch) {
  StepMetrics line;
  line.learning_rate =
      options_.optimizer.learning_rate * schedule_factor(options_.schedule, step_, total());
  if (due(options_.check_replicas_every)) require_same_replicas(parts_.parameters(), groups_);
  line.result = run_step(line.learning_rate, line.data_seconds);
  const auto usual = watch.leap(line.result.loss);
  if (usual && groups_.world->rank() == 0) {
    log_warning("step {}: loss {:.4f} leaps above the {:.4f} of the steps before, with rows {}",
                step_ + 1, line.result.loss, *usual, row_ids());
  }
  ++step_;
  line.step = step_;
  line.epoch =
      static_cast<double>(step_ * options_.batch) / static_cast<double>(now().rows->size());
  line.stage = stage_number();
  if (now().heldout != nullptr && (ends_stage() || due(options_.evaluate_every))) {
    line.heldout_loss = evaluate();
  }
  return line;
}

TrainEnd TrainLoop::stop_here() {
  save();
  require_frozen();
  log_warning(
      "stopped at step {} of {} on request, checkpoint saved; the same call with --resume goes on",
      step_, total());
  return TrainEnd::kStopped;
}

void TrainLoop::require_frozen() const {
  if (frozen_.empty()) return;
  const std::string now = model_.backbone().content_hash();
  const std::int64_t changed = now == frozen_ ? 0 : 1;
  if (reduce_scalar(*groups_.world, changed, ReduceOp::kMax) != 0) {
    fail(ExitCode::kInternal, {.what = "a frozen weight of the backbone changed in training",
                               .where = fmt::format("rank {}", groups_.world->rank()),
                               .expected = frozen_,
                               .got = now});
  }
  log_info("the backbone's frozen weights are unchanged: {}", frozen_);
}

bool TrainLoop::begins_epoch() const {
  const std::int64_t rows = now().rows->size();
  const std::int64_t made = step_ - (stage_ == 0 ? 0 : stages_[stage_ - 1].stage.end);
  return made > 0 && made * options_.batch / rows != (made - 1) * options_.batch / rows;
}

void TrainLoop::begin_stage() {
  sampler_.emplace(now().rows->size(), options_.seed);
  if (stages_.size() > 1 && !ends_stage()) {
    log_info("stage {}: steps {} to {}", now().stage.number, step_ + 1, now().stage.end);
  }
}

StepResult TrainLoop::run_step(double learning_rate, double& data_seconds) {
  const auto start = std::chrono::steady_clock::now();
  const auto global = sampler_->global_batch(step_, options_.batch);
  const auto share = rank_share(global, groups_.dp_index, groups_.mesh.dp());
  auto batches = now().rows->batches(share, options_.accumulation,
                                     default_tokens_in_flight(model_.backbone().device().is_cpu()));
  for (auto& batch : batches) {
    for (auto& row : batch.rows) row.noise = noise_of(row);
  }
  data_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  try {
    return train_step_.run(batches, learning_rate);
  } catch (const Error& error) {
    rethrow_at(error, fmt::format("step {}, rows {}", step_ + 1, row_ids()));
  }
}

/// Of all replicas' rows of this step.
std::string TrainLoop::row_ids() {
  std::vector<std::string> ids;
  for (const auto index : sampler_->global_batch(step_, options_.batch)) {
    ids.push_back(now().rows->row(index).id);
  }
  return fmt::format("{}", fmt::join(ids, " "));
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
  const auto batches = now().heldout->all(kHeldoutBatch, groups_.dp_index, groups_.mesh.dp());
  try {
    return heldout_loss(model_, parts_, batches, *groups_.dp);
  } catch (const Error& error) {
    rethrow_at(error, fmt::format("after step {}", step_));
  }
}

/// The held-out loss before the stage's first update. In a curriculum the rows of each stage are
/// others, and their losses are comparable within the stage alone.
void TrainLoop::evaluate_at_begin(MetricsLog& metrics, TensorboardLog& board) {
  if (now().heldout == nullptr) return;
  const double loss = evaluate();
  metrics.write_heldout(step_, stage_number(), loss);
  if (step_ == 0) board.write(0, {{"heldout/loss", loss}}, wall_time());  // one value a step
}

std::optional<std::int64_t> TrainLoop::stage_number() const {
  if (stages_.size() == 1) return std::nullopt;
  return now().stage.number;
}

void TrainLoop::save() {
  const bool first_rank = groups_.world->rank() == 0;
  groups_.world->barrier();  // Every step is done: none may still fail under what is saved.
  if (options_.check_replicas_every > 0) require_same_replicas(parts_.parameters(), groups_);
  TrainingState state;
  optimizer_.save([&](const std::string& name, const at::Tensor& whole) {
    if (first_rank) state.tensors[name] = to_host(whole);
  });
  if (first_rank) {
    state.step = static_cast<std::uint64_t>(step_);
    const auto seen = static_cast<std::uint64_t>(step_ * options_.batch);
    const auto rows = static_cast<std::uint64_t>(now().rows->size());
    state.epoch = seen / rows;
    state.samples_seen = seen % rows;
    state.metadata = identity_;
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
  if (reduce_scalar(*groups_.world, found, ReduceOp::kMax) == 0) {
    log_info("no checkpoint in {}: training starts at step 0", files_.checkpoints.string());
    return;
  }
  step_ =
      reduce_scalar(*groups_.world, static_cast<std::int64_t>(loaded.state.step), ReduceOp::kMax);
  optimizer_.load([&](const std::string& name, at::Tensor& whole) {
    if (groups_.world->rank() == 0) restore(loaded, name, whole);
    groups_.world->broadcast(whole, 0);
  });
  log_info("resumed at step {} of {} from {}", step_, total(), loaded.path.string());
}

void TrainLoop::restore(const LoadedCheckpoint& loaded, const std::string& name,
                        at::Tensor& whole) {
  const auto found = loaded.state.tensors.find(name);
  const auto bytes = whole.nbytes();
  if (found == loaded.state.tensors.end() || found->second.bytes.size() != bytes) {
    fail(ExitCode::kCheckpoint, {.what = "checkpoint does not hold what this run needs",
                                 .where = loaded.path.string(),
                                 .expected = fmt::format("tensor {} of {} bytes", name, bytes)});
  }
  auto host = at::empty_like(whole, whole.options().device(at::kCPU));
  std::memcpy(host.mutable_data_ptr(), found->second.bytes.data(), bytes);
  whole.copy_(host);
}

}  // namespace softcot
