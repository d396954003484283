#pragma once

#include <filesystem>
#include <string>

namespace softcot {

/// 32 hexadecimal digits for the model that a folder holds: SafetensorsFolder::content_hash, and
/// another value where is_read_by_content, because what softcot 0.1 made with that folder is of
/// another model. Throws as both.
std::string model_content_hash(const std::filesystem::path& folder);

}  // namespace softcot
