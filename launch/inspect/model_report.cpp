#include <fmt/format.h>

#include <map>

#include "data/chat_template.h"
#include "data/special_tokens.h"
#include "data/tokenizer.h"
#include "launch/inspect/finite_check.h"
#include "launch/inspect/folder_report.h"
#include "model/model_config.h"
#include "model/model_hash.h"
#include "model/shard_plan.h"
#include "model/weights.h"
#include "runtime/error.h"
#include "runtime/safetensors_folder.h"

namespace softcot {
namespace {

std::string list_sizes(const std::vector<int>& sizes) {
  std::string text;
  for (const int size : sizes) text += fmt::format("{}{}", text.empty() ? "" : ", ", size);
  return text;
}

void add_config(FolderReport& report, const ModelConfig& config) {
  report.add("architecture", config.model_type);
  report.add("layers", std::to_string(config.layers));
  report.add("width", std::to_string(config.hidden));
  report.add("heads", fmt::format("{} query, {} key/value, {} wide", config.query_heads,
                                  config.kv_heads, config.head_width));
  report.add("vocabulary", fmt::format("{}, output matrix {}", config.vocabulary,
                                       config.tied_head ? "tied" : "separate"));
  report.add("positions", std::to_string(config.max_positions));
  report.add("legal parallel.tp", list_sizes(legal_tp_sizes(config)));
}

void add_weights(FolderReport& report, const SafetensorsFolder& weights) {
  double parameters = 0;
  double bytes = 0;
  std::map<std::string, int> types;
  for (const std::string& name : weights.names()) {
    const TensorView tensor = weights.tensor(name);
    parameters += 8.0 * static_cast<double>(tensor.bytes.size()) / dtype_bits(tensor.dtype);
    bytes += static_cast<double>(tensor.bytes.size());
    ++types[std::string(dtype_name(tensor.dtype))];
  }
  std::string names;
  for (const auto& type : types) names += (names.empty() ? "" : ", ") + type.first;
  report.add("weights",
             fmt::format("{} parameters, {}B in {} file(s), {}", short_number(parameters),
                         short_number(bytes), weights.files().size(), names));
}

void add_tokenizer(FolderReport& report, const std::filesystem::path& folder,
                   const ModelConfig& config) {
  if (!std::filesystem::exists(folder / "tokenizer.json")) {
    report.add("tokenizer", "none: the model can be scored with ids only");
    return;
  }
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const Family family = detect_family(tokenizer, config.model_type);
  report.add("tokenizer", fmt::format("{} tokens", tokenizer.vocab_size()));
  report.add("chat format", std::string(family_name(family)));
  const auto own = find_chat_template(folder);
  if (own) {
    report.add("chat template", fmt::format("{}: {}", own->file.filename().string(),
                                            is_built_in(own->text, family)
                                                ? "the built-in format"
                                                : "not known; the built-in format is used"));
  }
  special_tokens(tokenizer, family);  // Throws when one is missing.
}

void require_finite(FolderReport& report, const SafetensorsFolder& weights) {
  std::uint64_t bad_tensors = 0;
  std::uint64_t bad_values = 0;
  std::string first;
  for (const std::string& name : weights.names()) {
    const std::uint64_t count = count_not_finite(weights.tensor(name));
    if (count > 0 && first.empty()) first = name;
    bad_tensors += count > 0 ? 1 : 0;
    bad_values += count;
  }
  if (bad_values > 0) {
    fail(ExitCode::kInput, {.what = "weights hold values that are not finite",
                            .where = fmt::format("{}, tensor {}", weights.path().string(), first),
                            .got = fmt::format("{} values in {} tensors", bad_values, bad_tensors),
                            .fix = "get the model again"});
  }
  report.add("finite", "all values");
}

}  // namespace

FolderReport report_model(const std::filesystem::path& folder, InspectDepth depth) {
  FolderReport report{.kind = "model", .facts = {}};
  const ModelConfig config = read_model_config(folder);
  add_config(report, config);
  const SafetensorsFolder weights = SafetensorsFolder::open(folder);
  add_weights(report, weights);
  add_tokenizer(report, folder, config);
  if (depth.verify) {
    const ShardPlan whole(config, 0, 1);
    const WeightReader reader(folder, config, whole, at::kFloat, at::kCPU);  // Checks every shape.
    report.add("verified", "every weight is there in the shape that config.json asks for");
    report.add("contents", model_content_hash(weights.path()));
  }
  if (depth.check_finite) require_finite(report, weights);
  return report;
}

}  // namespace softcot
