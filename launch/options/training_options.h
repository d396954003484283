#pragma once

#include "launch/options/run_options.h"

namespace softcot {

// The sections of what is trained and how, each added to `options` over the struct that it fills,
// which must outlive them.

/// train.*, with the method and its quirks.
void add_train(OptionSet& options, RunOptions& run);
/// lora.*
void add_lora(OptionSet& options, LoraChoice& lora);
/// coconut.*
void add_coconut(OptionSet& options, CoconutOptions& coconut);

}  // namespace softcot
