#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/model_config.h"

namespace softcot {

/// The sizes of a published model, as its config.json has them.
struct KnownModel {
  std::string name;  ///< "Llama-3.1-8B"
  ModelConfig config;
};

/// Models whose sizes are known without a folder, smaller ones of a family first.
const std::vector<KnownModel>& known_models();

/// The known model of this name, whatever the case and with or without "-Instruct" at its end; a
/// path counts by its last part. Nothing when there is none.
std::optional<KnownModel> find_known_model(const std::string& name);

}  // namespace softcot
