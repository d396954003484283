#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/model_config.h"

namespace softcot {

bool operator==(const RopeConfig& a, const RopeConfig& b);

/// The RoPE settings of a config.json, which `where` names in errors. They may be under
/// `rope_scaling` with `rope_theta` beside it, or under `rope_parameters` with `rope_theta` inside;
/// null and {} under either key state nothing. docs/adding-a-model.md has the order of precedence,
/// which is that of Transformers 5.
/// Throws kInput for a kind other than default and llama3 under either key, for settings per layer
/// type, a rotation of a part of a head, settings without a kind, values out of range, and keys
/// that contradict each other.
RopeConfig read_rope_config(const nlohmann::json& config, const std::string& where);

}  // namespace softcot
