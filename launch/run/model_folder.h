#pragma once

#include <filesystem>

#include "launch/run/trained_model.h"

namespace softcot {

/// Writes what full fine-tuning left of the model `base` into `folder` as a Hugging Face folder of
/// its own: model.safetensors, each weight rounded to the type that it has in `base`, and a copy of
/// base's config, tokenizer and whatever else it has in text. Throws kCheckpoint unless the run was
/// trained on `base`; else as AtomicFile does. Local.
void write_model_folder(const std::filesystem::path& folder, const std::filesystem::path& base,
                        const TrainedRun& trained);

}  // namespace softcot
