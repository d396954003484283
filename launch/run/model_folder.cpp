#include "launch/run/model_folder.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "model/model_hash.h"
#include "model/stored_head.h"
#include "model/weights.h"
#include "runtime/atomic_file.h"
#include "runtime/json_file.h"
#include "runtime/safetensors_folder.h"
#include "runtime/safetensors_writer.h"

namespace softcot {
namespace {

constexpr std::uint64_t kLargestText = std::uint64_t{1} << 30;  // bytes
constexpr std::array<std::string_view, 4> kTexts = {".json", ".jinja", ".model", ".txt"};

/// Whether a file of a model folder is kept as it is: all that is text or a tokenizer's model, but
/// no index of weights.
bool is_kept(const std::filesystem::directory_entry& file) {
  const std::string name = file.path().filename().string();
  if (!file.is_regular_file() || name.ends_with(".index.json")) return false;
  return std::find(kTexts.begin(), kTexts.end(), file.path().extension().string()) != kTexts.end();
}

/// A config.json for weights with a head of their own. Unchanged unless it states another.
std::string untied(const std::string& config, const std::string& where) {
  constexpr const char* kTied = "tie_word_embeddings";
  if (!optional(parse_json(config, where), kTied, false, where)) return config;
  auto changed = nlohmann::ordered_json::parse(config);
  changed[kTied] = false;
  return json_text(changed, 2) + "\n";
}

}  // namespace

void write_model_folder(const std::filesystem::path& folder, const std::filesystem::path& base,
                        const TrainedRun& trained) {
  const auto files = SafetensorsFolder::open(base);
  const std::string hash = model_content_hash(files.path());
  require_backbone(trained, hash);

  std::map<std::string, at::Tensor> weights = trained_weights(trained);
  TensorViews views;
  for (auto& [name, weight] : weights) {
    const DType dtype = files.tensor(stored_name(files, !weights.contains(kHeadName), name)).dtype;
    weight = weight.to(scalar_type(dtype, name));
    views[name] = {dtype,
                   {weight.sizes().begin(), weight.sizes().end()},
                   {static_cast<const std::byte*>(weight.const_data_ptr()), weight.nbytes()}};
  }
  write_safetensors(
      folder / "model.safetensors", views,
      {{"format", "pt"}, {"softcot.method", trained.method()}, {"softcot.trained_from", hash}});
  for (const auto& file : std::filesystem::directory_iterator(base)) {
    if (!is_kept(file)) continue;
    std::string text = read_file(file.path(), kLargestText);
    if (file.path().filename() == "config.json" && weights.contains(kHeadName)) {
      text = untied(text, file.path().string());
    }
    write_file_atomically(folder / file.path().filename(), text);
  }
}

}  // namespace softcot
