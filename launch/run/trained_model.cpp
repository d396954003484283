#include "launch/run/trained_model.h"

#include <ATen/Functions.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "launch/run/method.h"
#include "launch/run/peft_adapter.h"
#include "launch/run/run_folder.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/log.h"

namespace softcot {
namespace {

const char* schedule_name(Schedule schedule) {
  switch (schedule) {
    case Schedule::kLinear:
      return "linear";
    case Schedule::kCosine:
      return "cosine";
    case Schedule::kConstant:
      return "constant";
  }
  fail(ExitCode::kInternal, {.what = "unknown schedule"});
}

/// Whether a tensor of a checkpoint is the optimizer's own.
bool is_moment(const std::string& name) {
  return name.ends_with(".exp_avg") || name.ends_with(".exp_avg_sq") || name == "adamw.steps";
}

/// The tensors of a checkpoint whose names begin with `prefix`, by the rest of the name; optimizer
/// state is left out.
std::map<std::string, at::Tensor> tensors_of(const LoadedCheckpoint& checkpoint,
                                             const std::string& prefix) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, host] : checkpoint.state.tensors) {
    if (name.rfind(prefix, 0) != 0 || is_moment(name)) continue;
    const std::vector<std::int64_t> shape(host.shape.begin(), host.shape.end());
    auto tensor = at::empty(shape, at::kFloat);
    if (host.dtype != DType::kF32 || host.bytes.size() != tensor.nbytes()) {
      fail(ExitCode::kCheckpoint, {.what = "checkpoint holds a tensor of another type",
                                   .where = checkpoint.path.string(),
                                   .expected = "float32 tensor " + name});
    }
    std::memcpy(tensor.mutable_data_ptr(), host.bytes.data(), host.bytes.size());
    tensors.emplace(name.substr(prefix.size()), tensor);
  }
  return tensors;
}

at::Tensor tensor_of(const LoadedCheckpoint& checkpoint, const std::string& name) {
  const auto found = tensors_of(checkpoint, name);
  if (found.contains("")) return found.at("");
  fail(ExitCode::kCheckpoint, {.what = "checkpoint lacks a trained tensor",
                               .where = checkpoint.path.string(),
                               .expected = "float32 tensor " + name});
}

LoraOptions lora_options(const LoraChoice& choice) {
  LoraOptions options{
      .rank = choice.rank, .alpha = choice.alpha, .dropout = choice.dropout, .targets = {}};
  for (const LoraTarget target : all_lora_targets()) {
    const auto& names = choice.targets;
    if (std::find(names.begin(), names.end(), lora_target_name(target)) != names.end()) {
      options.targets.push_back(target);
    }
  }
  return options;
}

/// What stands at the placeholders of a Coconut row.
Filling filling_of(const CoconutOptions& coconut) {
  return coconut.variant == CoconutVariant::kPauseAsThought ? Filling::kPause : Filling::kLatent;
}

LoadedCheckpoint checkpoint_of(const std::filesystem::path& run_or_checkpoint,
                               std::optional<std::uint64_t> step) {
  if (std::filesystem::exists(run_or_checkpoint / kDoneMark)) {
    return read_checkpoint(run_or_checkpoint);
  }
  const auto folder = RunPaths{run_or_checkpoint}.checkpoints();
  return step ? read_checkpoint_of_step(folder, *step) : read_latest_checkpoint(folder);
}

/// An adapter as if a run had trained it; on which backbone is known only if we wrote it.
TrainedRun adapter_run(const std::filesystem::path& folder, const ModelConfig& backbone) {
  PeftAdapter adapter = read_peft_adapter(folder, backbone);
  nlohmann::json identity = {{"method", "lora"}, {"lora", adapter.choice}};
  if (!adapter.backbone_hash.empty()) identity["backbone"]["hash"] = adapter.backbone_hash;
  TrainedParts parts;
  parts.lora.emplace(backbone, lora_options(adapter.choice), adapter.tensors);
  return {std::move(parts), folder, std::move(identity), adapter.content_hash};
}

std::string trained_hash(const LoadedCheckpoint& checkpoint) {
  Hasher hasher;
  for (const auto& [name, host] : checkpoint.state.tensors) {
    if (is_moment(name)) continue;
    hasher.add(name);
    hasher.add(std::span<const std::byte>(host.bytes));
  }
  return hasher.hex();
}

}  // namespace

nlohmann::json run_identity(const RunOptions& run, const std::optional<ThoughtCacheKey>& key,
                            const PromptTemplate& prompt, const TextModel& backbone,
                            const std::string& backbone_hash, const TrainingContents& contents,
                            const std::vector<Stage>& stages,
                            const std::optional<TrainedRun>& initial) {
  const Method& method = method_of(run.method);
  const auto& train = run.train;
  nlohmann::json identity = {{"method", method.name},
                             {"backbone",
                              {{"hash", backbone_hash},
                               {"tokenizer", backbone.tokenizer.content_hash()},
                               {"dtype", toString(run.model.load.dtype)}}},
                             {"prompt_hash", prompt.content_hash()},
                             {"rows", {{"count", contents.rows}, {"hash", contents.hash}}},
                             {"max_length", run.data.max_length},
                             {"train",
                              {{"steps", train.steps},
                               {"epochs", train.steps > 0 ? 0.0 : train.epochs},
                               {"batch", train.batch},
                               {"learning_rate", train.optimizer.learning_rate},
                               {"weight_decay", train.optimizer.weight_decay},
                               {"clip", train.optimizer.clip},
                               {"schedule", schedule_name(train.schedule.kind)},
                               {"warmup_steps", train.schedule.warmup_steps},
                               {"seed", train.seed}}}};
  if (method.placeholders) identity["placeholders"] = run.thoughts.count;
  if (run.data.quirks != TrainingQuirks{}) identity["compat"] = quirks_name(run.data.quirks);
  if (key) {
    for (const auto& [name, value] : to_attributes(*key)) {
      std::visit([&, field = name](const auto& v) { identity["thoughts"][field] = v; }, value);
    }
  }
  if (method.lora) identity["lora"] = run.lora;
  if (initial) identity["lora"]["adapter"] = initial->content_hash;
  if (method.coconut) {
    identity["coconut"] = run.coconut;
    // Identities made before this was an option do not have it.
    const OptimizerReset reset = run.coconut.optimizer_reset;
    if (reset != OptimizerReset::kStage) identity["coconut"]["optimizer_reset"] = reset;
    identity["stages"] = nlohmann::json::array();
    for (const Stage& stage : stages) identity["stages"].push_back({stage.number, stage.end});
  }
  return identity;
}

std::optional<TrainedRun> initial_adapter(const RunOptions& run, const ModelConfig& backbone,
                                          const std::string& backbone_hash) {
  if (!method_of(run.method).lora || run.lora.adapter.empty()) return std::nullopt;
  TrainedRun adapter = adapter_run(run.lora.adapter, backbone);
  require_backbone(adapter, backbone_hash);
  return adapter;
}

TrainedParts new_parts(const RunOptions& run, Transformer& backbone, std::int64_t assistant_width,
                       const std::optional<TrainedRun>& initial) {
  const Method& method = method_of(run.method);
  const std::int64_t width = backbone.config().hidden;
  TrainedParts parts;
  if (method.projection) {
    parts.projection = Projection::random(assistant_width, width, run.train.seed);
  }
  if (method.task_vectors) {
    // Beside projected thoughts the task's part begins as nothing.
    parts.task = method.projection
                     ? TaskVectors::zeros(run.thoughts.count, width)
                     : TaskVectors::from_vocabulary(backbone, run.thoughts.count, run.train.seed);
  }
  if (method.lora && initial) {
    const auto pairs = initial->parts.lora->tensors();
    parts.lora.emplace(backbone.config(), lora_options(run.lora),
                       std::map<std::string, at::Tensor>(pairs.begin(), pairs.end()));
  } else if (method.lora) {
    parts.lora = Lora::random(backbone.config(), lora_options(run.lora), run.train.seed);
  }
  if (method.coconut) parts.filling = filling_of(run.coconut);
  if (parts.filling == Filling::kPause) {
    parts.task = TaskVectors::from_vocabulary(backbone, 1, run.train.seed);
  }
  if (method.full) {
    backbone.train_weights();
    parts.weights = backbone.trained_weights();
  }
  parts.to(backbone.device());
  return parts;
}

std::vector<std::int64_t> shared_prefix(const std::vector<Row>& rows) {
  const std::int64_t length = longest_common_prefix(rows);
  if (length == 0) return {};
  return {rows[0].ids.begin(), rows[0].ids.begin() + length};
}

std::vector<std::string> parameter_summary(const TrainedParts& parts) {
  std::vector<std::string> lines;
  const auto shape = [](const at::Tensor& tensor) {
    return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
  };
  std::map<std::string, std::vector<at::Tensor>> targets;  // A and B, layer after layer
  for (const auto& parameter : parts.parameters()) {
    if (parameter.tp == TpGradient::kShare || parameter.name.starts_with("backbone.")) continue;
    lines.push_back(fmt::format("{} {}", parameter.name, shape(parameter.value)));
  }
  if (!parts.weights.empty()) {
    lines.push_back(fmt::format("backbone: all {} weights", parts.weights.size()));
  }
  if (!parts.lora) return lines;
  for (const auto& [name, tensor] : parts.lora->tensors()) {
    const auto end = name.rfind('.');
    const auto begin = name.rfind('.', end - 1) + 1;
    targets[name.substr(begin, end - begin)].push_back(tensor);
  }
  for (const auto& [target, tensors] : targets) {
    lines.push_back(fmt::format("lora {} {} × ({}, {})", target, tensors.size() / 2,
                                shape(tensors[0]), shape(tensors[1])));
  }
  return lines;
}

TrainedRun load_trained(const std::filesystem::path& run_or_checkpoint, const ModelConfig& backbone,
                        std::optional<std::uint64_t> step) {
  if (is_peft_adapter(run_or_checkpoint)) return adapter_run(run_or_checkpoint, backbone);
  const auto loaded = checkpoint_of(run_or_checkpoint, step);
  const auto& identity = loaded.state.metadata;
  const Method& method = method_of(identity.at("method").get<std::string>());
  TrainedParts parts;
  if (method.coconut) parts.filling = filling_of(identity.at("coconut").get<CoconutOptions>());
  if (method.projection) {
    parts.projection.emplace(tensor_of(loaded, "projection.weight"),
                             tensor_of(loaded, "projection.bias"));
  }
  if (method.task_vectors || parts.filling == Filling::kPause) {
    parts.task.emplace(tensor_of(loaded, "task.vectors"));
  }
  if (method.lora) {
    const auto options = lora_options(identity.at("lora").get<LoraChoice>());
    parts.lora.emplace(backbone, options, tensors_of(loaded, "lora."));
  }
  return {std::move(parts), loaded.path, identity, trained_hash(loaded)};
}

void warn_of_cut_vectors(const TrainedRun& trained, std::int64_t placeholders) {
  if (!method_of(trained.method()).task_vectors || !trained.parts.task) return;
  const std::int64_t vectors = trained.parts.task->count();
  if (placeholders >= vectors) return;
  log_warning(
      "{}: only the first {} of {} vectors that were trained together are used; its result says "
      "little of the method. Give --thoughts.eval-count {} to use all",
      trained.method(), placeholders, vectors, vectors);
}

std::map<std::string, at::Tensor> trained_weights(const TrainedRun& trained) {
  return tensors_of(read_checkpoint(trained.checkpoint), "backbone.");
}

void load_trained_weights(const TrainedRun& trained, Transformer& backbone) {
  const auto weights = trained_weights(trained);
  backbone.load_weights([&](const std::string& name, at::IntArrayRef shape) {
    const auto found = weights.find(name);
    if (found != weights.end() && found->second.sizes() == shape) return found->second;
    fail(ExitCode::kCheckpoint, {.what = "checkpoint lacks a weight of this backbone",
                                 .where = trained.checkpoint.string(),
                                 .expected = fmt::format("{} [{}]", name, fmt::join(shape, ", "))});
  });
}

Curriculum curriculum_of(const TrainedRun& trained) {
  return Curriculum(trained.identity.at("coconut").get<CoconutOptions>());
}

std::vector<Stage> stages_of(const TrainedRun& trained) {
  require_trained_with(trained, "method", "one with stages",
                       trained.identity.contains("stages") ? "one with stages" : trained.method());
  std::vector<Stage> stages;
  for (const auto& stage : trained.identity.at("stages")) {
    stages.push_back({stage.at(0).get<std::int64_t>(), stage.at(1).get<std::int64_t>()});
  }
  return stages;
}

void require_trained_with(const TrainedRun& trained, const std::string& what,
                          const std::string& now, const std::string& then) {
  if (now == then) return;
  fail(ExitCode::kCheckpoint,
       {.what = fmt::format("trained with another {}", what),
        .where = trained.checkpoint.string(),
        .expected = then,
        .got = now,
        .fix = "use it with what it was trained with (--config of its run)"});
}

void require_backbone(const TrainedRun& trained, const std::string& hash) {
  if (!trained.identity.contains("backbone")) return;  // an adapter that another program made
  require_trained_with(trained, "backbone", hash,
                       trained.identity.at("backbone").at("hash").get<std::string>());
}

void require_tokenizer(const TrainedRun& trained, const Tokenizer& tokenizer) {
  const auto& backbone = trained.identity.value("backbone", nlohmann::json::object());
  if (!backbone.contains("tokenizer")) return;  // an adapter does not say
  require_trained_with(trained, "tokenizer", tokenizer.content_hash(),
                       backbone.at("tokenizer").get<std::string>());
}

void require_assistant(const TrainedRun& trained, const std::string& hash, std::int64_t layers) {
  const auto& then = trained.identity.at("thoughts");
  require_trained_with(trained, "assistant", hash, then.at("assistant_hash").get<std::string>());
  require_trained_with(trained, "number of assistant layers", std::to_string(layers),
                       std::to_string(then.at("assistant_layers").get<std::int64_t>()));
}

}  // namespace softcot
