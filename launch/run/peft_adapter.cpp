#include "launch/run/peft_adapter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <set>
#include <span>

#include "model/shard_plan.h"
#include "model/weights.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"
#include "runtime/safetensors.h"
#include "runtime/safetensors_writer.h"

namespace softcot {
namespace {

constexpr const char* kConfigName = "adapter_config.json";
constexpr const char* kTensorsName = "adapter_model.safetensors";
constexpr const char* kBackboneHash = "softcot.backbone_hash";

/// Settings of PEFT's LoRA that change what is computed, or the base model, in a way that Lora has
/// no place for. They are harmless where they are absent, null, false or empty.
constexpr std::array kForeignSettings = {"alora_invocation_tokens",
                                         "arrow_config",
                                         "exclude_modules",
                                         "fan_in_fan_out",
                                         "kasa_config",
                                         "layer_replication",
                                         "layers_to_transform",
                                         "lora_bias",
                                         "modules_to_save",
                                         "monteclora_config",
                                         "rank_pattern",
                                         "alpha_pattern",
                                         "target_parameters",
                                         "use_bdlora",
                                         "use_dora",
                                         "use_qalora",
                                         "velora_config",
                                         "trainable_token_indices"};

bool is_nothing(const nlohmann::json& value) {
  const bool off = value.is_boolean() && !value.get<bool>();
  return value.is_null() || off || (value.is_structured() && value.empty());
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what,
                         const std::string& expected, const std::string& got) {
  fail(ExitCode::kInput, {.what = what, .where = file.string(), .expected = expected, .got = got});
}

/// Initial values that PEFT makes by changing the base model's weights too.
bool moves_base(const nlohmann::json& initial) {
  static const std::set<std::string> harmless = {"gaussian", "eva", "orthogonal"};
  return initial.is_string() && !harmless.contains(initial.get<std::string>());
}

void require_plain(const nlohmann::json& config, const std::filesystem::path& file) {
  const std::string kind = optional<std::string>(config, "peft_type", "", file.string());
  if (kind != "LORA") refuse(file, "adapter of another kind", "peft_type LORA", kind);
  for (const char* name : kForeignSettings) {
    const auto found = config.find(name);
    if (found == config.end() || is_nothing(*found)) continue;
    refuse(file, "adapter with a feature that softcot does not have", fmt::format("no {}", name),
           fmt::format("{} {}", name, found->dump()));
  }
  const std::string bias = optional<std::string>(config, "bias", "none", file.string());
  if (bias != "none") refuse(file, "adapter with trained biases", "bias none", "bias " + bias);
  const auto initial = config.find("init_lora_weights");
  if (initial != config.end() && moves_base(*initial)) {
    refuse(file, "adapter that changes its base model's own weights",
           "one converted to a plain LoRA when it was saved",
           fmt::format("init_lora_weights {}", initial->dump()));
  }
}

/// In the order of all_lora_targets().
std::vector<std::string> targets_of(const nlohmann::json& config,
                                    const std::filesystem::path& file) {
  const auto given = require<std::vector<std::string>>(config, "target_modules", file.string());
  std::vector<std::string> known;
  for (const LoraTarget target : all_lora_targets()) known.emplace_back(lora_target_name(target));
  for (const std::string& name : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    refuse(file, "adapter of something that is no matrix of a decoder layer",
           fmt::format("target_modules of {}", fmt::join(known, ", ")), name);
  }
  std::erase_if(known, [&](const std::string& name) {
    return std::find(given.begin(), given.end(), name) == given.end();
  });
  if (known.empty()) refuse(file, "adapter without a target", "target_modules", "none");
  return known;
}

/// A matrix of the whole model that LoRA may change: where PEFT and Lora have its factors, and its
/// shape.
struct Matrix {
  std::string peft;  // "base_model.model.model.layers.3.self_attn.q_proj"
  std::string ours;  // "layers.3.q_proj"
  std::int64_t outputs;
  std::int64_t inputs;
};

std::string module_path(LoraTarget target) {
  return fmt::format("model.layers.{{}}.{}.{}", lora_module_name(target), lora_target_name(target));
}

std::vector<Matrix> matrices_of(const ModelConfig& config, const std::vector<std::string>& names) {
  const ShardPlan whole(config, 0, 1);
  std::vector<Matrix> matrices;
  for (const LoraTarget target : all_lora_targets()) {
    const std::string name(lora_target_name(target));
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    for (const WeightRule& rule : weight_rules(config)) {
      if (rule.name != module_path(target) + ".weight") continue;
      for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        matrices.push_back({"base_model.model." + weight_name(module_path(target), layer),
                            fmt::format("layers.{}.{}", layer, name), whole.full(rule.rows),
                            whole.full(rule.columns)});
      }
    }
  }
  return matrices;
}

std::string peft_tensor(const Matrix& matrix, char factor) {
  return fmt::format("{}.lora_{}.weight", matrix.peft, factor);
}

at::Tensor to_float(const TensorView& view, const std::string& name,
                    const std::filesystem::path& file) {
  at::ScalarType type = at::kFloat;
  if (view.dtype == DType::kF16) {
    type = at::kHalf;
  } else if (view.dtype == DType::kBF16) {
    type = at::kBFloat16;
  } else if (view.dtype != DType::kF32) {
    refuse(file, "adapter tensor is not of a floating-point type", "F32, F16 or BF16 " + name,
           std::string(dtype_name(view.dtype)));
  }
  const std::vector<std::int64_t> shape(view.shape.begin(), view.shape.end());
  auto tensor = at::empty(shape, type);
  std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor.to(at::kFloat);
}

/// One factor in the shape wanted.
at::Tensor take(const SafetensorsFile& file, const std::string& name, std::int64_t rows,
                std::int64_t columns) {
  const std::string expected = fmt::format("{} [{}, {}]", name, rows, columns);
  if (!file.contains(name)) refuse(file.path(), "adapter lacks a tensor", expected, "nothing");
  const TensorView view = file.tensor(name);
  const std::vector<std::uint64_t> shape = {static_cast<std::uint64_t>(rows),
                                            static_cast<std::uint64_t>(columns)};
  if (view.shape != shape) {
    refuse(file.path(), "adapter belongs to a model of another shape", expected,
           fmt::format("[{}]", fmt::join(view.shape, ", ")));
  }
  return to_float(view, name, file.path());
}

/// What PEFT needs to know, in its words.
nlohmann::ordered_json config_json(const LoraOptions& options, const std::string& base) {
  std::vector<std::string> targets;
  for (const LoraTarget target : options.targets) targets.emplace_back(lora_target_name(target));
  nlohmann::ordered_json alpha = options.alpha;
  if (options.alpha == std::floor(options.alpha)) {
    alpha = static_cast<std::int64_t>(options.alpha);  // PEFT has whole numbers here
  }
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", base},
          {"revision", nullptr},
          {"r", options.rank},
          {"lora_alpha", alpha},
          {"lora_dropout", options.dropout},
          {"target_modules", targets},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"use_rslora", false},
          {"use_dora", false},
          {"modules_to_save", nullptr},
          {"rank_pattern", nlohmann::json::object()},
          {"alpha_pattern", nlohmann::json::object()},
          {"init_lora_weights", true},
          {"inference_mode", true}};
}

[[noreturn]] void contradict(const char* option, const std::string& adapter,
                             const std::string& given) {
  fail(ExitCode::kUsage, {.what = "lora.adapter has another value",
                          .where = option,
                          .expected = adapter,
                          .got = given,
                          .fix = fmt::format("leave out --{}", option)});
}

}  // namespace

bool is_peft_adapter(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / kConfigName);
}

LoraChoice read_adapter_choice(const std::filesystem::path& folder) {
  const auto file = folder / kConfigName;
  const nlohmann::json config = read_json_file(file);
  require_plain(config, file);
  LoraChoice choice;
  choice.rank = require<std::int64_t>(config, "r", file.string());
  choice.alpha = require<double>(config, "lora_alpha", file.string());
  choice.dropout = optional<double>(config, "lora_dropout", 0.0, file.string());
  choice.targets = targets_of(config, file);
  if (choice.rank < 1 || !(choice.alpha > 0) || !(choice.dropout >= 0 && choice.dropout < 1)) {
    refuse(file, "adapter with a setting out of range",
           "r at least 1, lora_alpha above 0, lora_dropout from 0 to below 1",
           fmt::format("{}, {}, {}", choice.rank, choice.alpha, choice.dropout));
  }
  if (optional<bool>(config, "use_rslora", false, file.string())) {
    // Its scale is alpha / √rank, ours alpha / rank.
    choice.alpha *= std::sqrt(static_cast<double>(choice.rank));
  }
  return choice;
}

PeftAdapter read_peft_adapter(const std::filesystem::path& folder, const ModelConfig& backbone) {
  PeftAdapter adapter;
  adapter.choice = read_adapter_choice(folder);
  const auto file = SafetensorsFile::open(folder / kTensorsName);
  std::set<std::string> used;
  for (const Matrix& matrix : matrices_of(backbone, adapter.choice.targets)) {
    const std::string a = peft_tensor(matrix, 'A');
    const std::string b = peft_tensor(matrix, 'B');
    adapter.tensors[matrix.ours + ".lora_A"] = take(file, a, adapter.choice.rank, matrix.inputs);
    adapter.tensors[matrix.ours + ".lora_B"] = take(file, b, matrix.outputs, adapter.choice.rank);
    used.insert({a, b});
  }
  for (const std::string& name : file.names()) {
    if (used.contains(name)) continue;
    refuse(file.path(), "adapter has a tensor that this model has no place for",
           fmt::format("{} of {} layers", fmt::join(adapter.choice.targets, ", "), backbone.layers),
           name);
  }
  const auto hash = file.metadata().find(kBackboneHash);
  if (hash != file.metadata().end()) adapter.backbone_hash = hash->second;
  adapter.content_hash =
      hash_bytes(hash_file(folder / kConfigName) + hash_bytes(file.file_bytes()));
  return adapter;
}

void write_peft_adapter(const std::filesystem::path& folder, const Lora& lora,
                        const AdapterOrigin& origin) {
  TensorViews views;
  for (const auto& [name, tensor] : lora.tensors()) {
    // "layers.3.q_proj.lora_A" → "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"
    const auto dot = name.find('.', std::string("layers.").size());
    const std::string rest = name.substr(dot + 1);
    const auto target = std::find_if(
        all_lora_targets().begin(), all_lora_targets().end(),
        [&](LoraTarget each) { return rest.substr(0, rest.find('.')) == lora_target_name(each); });
    const std::string peft = fmt::format("base_model.model.model.{}.{}.{}.weight",
                                         name.substr(0, dot), lora_module_name(*target), rest);
    const std::span<const float> values(tensor.const_data_ptr<float>(),
                                        static_cast<std::size_t>(tensor.numel()));
    views[peft] = {
        DType::kF32, {tensor.sizes().begin(), tensor.sizes().end()}, std::as_bytes(values)};
  }
  write_safetensors(folder / kTensorsName, views,
                    {{"format", "pt"}, {kBackboneHash, origin.backbone_hash}});
  write_file_atomically(folder / kConfigName,
                        json_text(config_json(lora.options(), origin.base), 2) + "\n");
}

void settle_adapter(const OptionSet& options, LoraChoice& lora) {
  if (lora.adapter.empty()) return;
  const LoraChoice adapter = read_adapter_choice(lora.adapter);
  const auto given = [&](const char* name) { return options.given(name); };
  if (given("lora.rank") && lora.rank != adapter.rank) {
    contradict("lora.rank", std::to_string(adapter.rank), std::to_string(lora.rank));
  }
  if (given("lora.alpha") && lora.alpha != adapter.alpha) {
    contradict("lora.alpha", fmt::format("{}", adapter.alpha), fmt::format("{}", lora.alpha));
  }
  const auto sorted = [](std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return names;
  };
  if (given("lora.targets") && sorted(lora.targets) != sorted(adapter.targets)) {
    contradict("lora.targets", fmt::format("{}", fmt::join(adapter.targets, ",")),
               fmt::format("{}", fmt::join(lora.targets, ",")));
  }
  lora.rank = adapter.rank;
  lora.alpha = adapter.alpha;
  lora.targets = adapter.targets;
  if (!given("lora.dropout")) lora.dropout = adapter.dropout;
}

}  // namespace softcot
