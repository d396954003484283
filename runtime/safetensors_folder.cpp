#include "runtime/safetensors_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::size_t kListed = 5;
constexpr std::uint64_t kMaxConfigBytes = 16u << 20;

std::string first_few(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kListed);
  std::string text = fmt::format(
      "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

[[noreturn]] void refuse(const std::filesystem::path& where, std::string what, std::string got,
                         std::string fix = {}) {
  fail(ExitCode::kInput, {.what = std::move(what),
                          .where = where.string(),
                          .got = std::move(got),
                          .fix = std::move(fix)});
}

/// tensor -> shard, as the index says.
std::map<std::string, std::string> read_index(const std::filesystem::path& path) {
  const nlohmann::json index = read_json_file(path, {.max_bytes = kSafetensorsMaxHeader});
  const auto weights = require<nlohmann::json>(index, "weight_map", path.string());
  if (!weights.is_object() || weights.empty()) {
    refuse(path, "weight_map is not an object that names tensors", json_kind(weights));
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : weights.items()) {
    if (!shard.is_string())
      refuse(path, "shard of \"" + tensor + "\" is no name", json_kind(shard));
    const auto& name = shard.get_ref<const std::string&>();
    if (name.empty() || name == "." || name.find("..") != std::string::npos ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      refuse(path, "shard name leads out of the model folder", name);
    }
    shards.emplace(tensor, name);
  }
  return shards;
}

}  // namespace

SafetensorsFolder SafetensorsFolder::open(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    refuse(folder, "no such model folder", "", "give the path of a Hugging Face model folder");
  }
  SafetensorsFolder opened;
  opened.path_ = folder;
  if (std::filesystem::exists(folder / kSingle, error)) {
    opened.files_.push_back(SafetensorsFile::open(folder / kSingle));
    for (const std::string& name : opened.files_[0].names()) opened.owner_.emplace(name, 0);
    return opened;
  }
  const std::filesystem::path index = folder / kIndex;
  if (!std::filesystem::exists(index, error)) {
    refuse(folder, fmt::format("model folder has neither {} nor {}", kSingle, kIndex), "",
           "convert the weights to safetensors");
  }
  const std::map<std::string, std::string> shards = read_index(index);
  std::map<std::string, std::size_t> numbers;
  for (const auto& [tensor, shard] : shards) numbers.emplace(shard, 0);
  std::vector<std::string> missing;
  for (const auto& [shard, number] : numbers) {
    if (!std::filesystem::is_regular_file(folder / shard, error)) missing.push_back(shard);
  }
  if (!missing.empty()) {
    refuse(index, fmt::format("index names {} missing shard(s)", missing.size()),
           first_few(missing), "copy or download the model again");
  }
  for (auto& [shard, number] : numbers) {
    number = opened.files_.size();
    opened.files_.push_back(SafetensorsFile::open(folder / shard));
  }
  for (const auto& [tensor, shard] : shards) {
    const std::size_t number = numbers.at(shard);
    if (!opened.files_[number].contains(tensor)) missing.push_back(tensor);
    opened.owner_.emplace(tensor, number);
  }
  if (!missing.empty()) {
    refuse(index, fmt::format("index names {} tensor(s) that their shards lack", missing.size()),
           first_few(missing), "copy or download the model again");
  }
  return opened;
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> names;
  names.reserve(owner_.size());
  for (const auto& [name, file] : owner_) names.push_back(name);
  return names;
}

TensorView SafetensorsFolder::tensor(std::string_view name) const {
  const auto found = owner_.find(std::string(name));
  if (found == owner_.end()) {
    refuse(path_, "tensor \"" + std::string(name) + "\" is missing", "");
  }
  return files_[found->second].tensor(name);
}

void SafetensorsFolder::release_pages() const {
  for (const SafetensorsFile& file : files_) file.release_pages();
}

std::string SafetensorsFolder::content_hash() const {
  Hasher hasher;
  std::error_code error;
  const std::filesystem::path config = path_ / "config.json";
  const std::string text =
      std::filesystem::exists(config, error) ? read_file(config, kMaxConfigBytes) : std::string();
  hasher.add(std::uint64_t{text.size()});
  hasher.add(text);
  hasher.add(std::uint64_t{files_.size()});
  for (const SafetensorsFile& file : files_) {
    hasher.add(std::uint64_t{file.file_bytes().size()});
    hasher.add(file.file_bytes());
  }
  return hasher.hex();
}

}  // namespace softcot
