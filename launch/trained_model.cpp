#include "launch/trained_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "launch/method.h"
#include "launch/run_folder.h"
#include "runtime/error.h"
#include "runtime/hash.h"

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

/// The tensors of a checkpoint whose names begin with `prefix`, by the rest of the name; optimizer
/// state is left out.
std::map<std::string, at::Tensor> tensors_of(const LoadedCheckpoint& checkpoint,
                                             const std::string& prefix) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, host] : checkpoint.state.tensors) {
    if (name.rfind(prefix, 0) != 0 || name.ends_with(".exp_avg") || name.ends_with(".exp_avg_sq")) {
      continue;
    }
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

}  // namespace

nlohmann::json run_identity(const RunOptions& run, const std::optional<ThoughtCacheKey>& key,
                            const PromptTemplate& prompt, const std::string& backbone_hash) {
  const Method& method = method_of(run.method);
  const auto& train = run.train;
  nlohmann::json identity = {
      {"method", method.name},
      {"backbone", {{"hash", backbone_hash}, {"dtype", toString(run.model.load.dtype)}}},
      {"prompt_hash", prompt.content_hash()},
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
  if (key) {
    for (const auto& [name, value] : to_attributes(*key)) {
      std::visit([&, field = name](const auto& v) { identity["thoughts"][field] = v; }, value);
    }
  }
  if (method.lora) {
    identity["lora"] = run.lora;
  }
  return identity;
}

TrainedParts new_parts(const RunOptions& run, const Transformer& backbone,
                       std::int64_t assistant_width) {
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
  if (method.lora) {
    parts.lora = Lora::random(backbone.config(), lora_options(run.lora), run.train.seed);
  }
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
    if (parameter.gradient_is_share) continue;
    lines.push_back(fmt::format("{} {}", parameter.name, shape(parameter.value)));
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

std::string TrainedRun::content_hash() const {
  Hasher hasher;
  for (const auto& parameter : parts.parameters()) {
    const auto& value = parameter.value;
    hasher.add(std::as_bytes(
        std::span(value.const_data_ptr<float>(), static_cast<std::size_t>(value.numel()))));
  }
  return hasher.hex();
}

TrainedRun load_trained(const std::filesystem::path& run_or_checkpoint,
                        const ModelConfig& backbone) {
  const bool is_checkpoint = std::filesystem::exists(run_or_checkpoint / kDoneMark);
  const auto loaded = is_checkpoint
                          ? read_checkpoint(run_or_checkpoint)
                          : read_latest_checkpoint(RunPaths{run_or_checkpoint}.checkpoints());
  const auto& identity = loaded.state.metadata;
  const Method& method = method_of(identity.at("method").get<std::string>());
  TrainedParts parts;
  if (method.projection) {
    parts.projection.emplace(tensor_of(loaded, "projection.weight"),
                             tensor_of(loaded, "projection.bias"));
  }
  if (method.task_vectors) parts.task.emplace(tensor_of(loaded, "task.vectors"));
  if (method.lora) {
    const auto options = lora_options(identity.at("lora").get<LoraChoice>());
    parts.lora.emplace(backbone, options, tensors_of(loaded, "lora."));
  }
  return {std::move(parts), loaded.path, identity};
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
  require_trained_with(trained, "backbone", hash,
                       trained.identity.at("backbone").at("hash").get<std::string>());
}

void require_assistant(const TrainedRun& trained, const std::string& hash, std::int64_t layers) {
  const auto& then = trained.identity.at("thoughts");
  require_trained_with(trained, "assistant", hash, then.at("assistant_hash").get<std::string>());
  require_trained_with(trained, "number of assistant layers", std::to_string(layers),
                       std::to_string(then.at("assistant_layers").get<std::int64_t>()));
}

}  // namespace softcot
