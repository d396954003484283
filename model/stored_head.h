#pragma once

#include <filesystem>
#include <string>

#include "runtime/safetensors_folder.h"

namespace softcot {

inline constexpr const char* kEmbeddingName = "model.embed_tokens.weight";
inline constexpr const char* kHeadName = "lm_head.weight";

/// Whether the weights of a folder hold an output matrix and an embedding matrix that differ, in
/// type, shape or any byte. Such a model is not tied, whatever its config.json states, as in
/// Transformers 5. False for a folder without weights. Reads both matrices where both are stored.
/// Throws what SafetensorsFolder::open does.
bool stores_another_head(const std::filesystem::path& folder);

/// The tensor that holds the weight `name` of a model: of a tied pair either may be stored alone.
std::string stored_name(const SafetensorsFolder& files, bool tied_head, const std::string& name);

}  // namespace softcot
