#pragma once

#include <filesystem>

#include "checkpoints/training_state.h"

namespace softcot {

/// Writes `state` as `folder`/step-NNNNNNNN and returns that path. The checkpoint is built under a
/// hidden name beside it, every file is synced, DONE is written last, and the whole is renamed: a
/// crash at any moment leaves the folder's other checkpoints as they were and this one whole or
/// unseen. A checkpoint of the same step is replaced. Local: one rank writes.
/// Throws kResources when space runs out and kUsage when the folder cannot be written; both leave
/// nothing behind, and training may go on.
std::filesystem::path write_checkpoint(const std::filesystem::path& folder,
                                       const TrainingState& state);

}  // namespace softcot
