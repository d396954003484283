#include "model/model_hash.h"

#include "model/model_config.h"
#include "runtime/hash.h"
#include "runtime/safetensors_folder.h"

namespace softcot {

std::string model_content_hash(const std::filesystem::path& folder) {
  const std::string hash = SafetensorsFolder::open(folder).content_hash();
  return is_read_by_content(folder) ? hash_bytes(hash + ", read by content") : hash;
}

}  // namespace softcot
