#include "model/stored_head.h"

#include <algorithm>

namespace softcot {

bool stores_another_head(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "model.safetensors") &&
      !std::filesystem::exists(folder / "model.safetensors.index.json")) {
    return false;
  }
  const auto files = SafetensorsFolder::open(folder);
  if (!files.contains(kEmbeddingName) || !files.contains(kHeadName)) return false;
  const TensorView embedding = files.tensor(kEmbeddingName);
  const TensorView head = files.tensor(kHeadName);
  return head.dtype != embedding.dtype || head.shape != embedding.shape ||
         !std::ranges::equal(head.bytes, embedding.bytes);
}

std::string stored_name(const SafetensorsFolder& files, bool tied_head, const std::string& name) {
  const bool in_head = tied_head && name == kEmbeddingName && !files.contains(name);
  return in_head && files.contains(kHeadName) ? kHeadName : name;
}

}  // namespace softcot
