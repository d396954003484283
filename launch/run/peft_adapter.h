#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "launch/options/option_set.h"
#include "launch/options/run_options.h"
#include "model/lora.h"
#include "model/model_config.h"

namespace softcot {

/// A LoRA in a folder as PEFT writes and reads it: adapter_config.json and
/// adapter_model.safetensors (docs/file-formats.md).
struct PeftAdapter {
  LoraChoice choice;
  std::map<std::string, at::Tensor> tensors;  ///< Float32, named as Lora::tensors() names them.
  std::string content_hash;                   ///< Over both files.
  std::string backbone_hash;  ///< Of the model it was trained on; empty unless softcot wrote it.
};

/// Whether the folder has an adapter_config.json.
bool is_peft_adapter(const std::filesystem::path& folder);

/// What adapter_config.json says. Throws kInput, naming the field, for an adapter that is no LoRA
/// of a decoder layer's matrices, all of the same rank. Local.
LoraChoice read_adapter_choice(const std::filesystem::path& folder);

/// The whole adapter. Throws kInput as above, for a file that is missing or damaged, and for an
/// adapter that does not fit a backbone of this shape. Local.
PeftAdapter read_peft_adapter(const std::filesystem::path& folder, const ModelConfig& backbone);

/// What else an adapter's files say: `base` is the name of the model for other programs,
/// `backbone_hash` its model_hash for ours.
struct AdapterOrigin {
  std::string base;
  std::string backbone_hash;
};

/// Writes both files into `folder`, which is there. Throws as AtomicFile.
void write_peft_adapter(const std::filesystem::path& folder, const Lora& lora,
                        const AdapterOrigin& origin);

/// Where lora.adapter names an adapter: its rank, alpha, targets and (unless the user gave one)
/// dropout become the options' values. Throws kUsage where the user asked for another rank, alpha
/// or targets. Local.
void settle_adapter(const OptionSet& options, LoraChoice& lora);

}  // namespace softcot
