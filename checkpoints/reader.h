#pragma once

#include <cstdint>
#include <filesystem>

#include "checkpoints/training_state.h"

namespace softcot {

struct LoadedCheckpoint {
  std::filesystem::path path;
  TrainingState state;
};

/// Reads one checkpoint, `…/step-NNNNNNNN`, and checks every byte of it against its hashes. Throws
/// kCheckpoint when it has no DONE mark, is damaged, or was written by a newer format. Local.
LoadedCheckpoint read_checkpoint(const std::filesystem::path& path);

/// The checkpoint of this step and no other. Throws kCheckpoint as above, or, when it is missing,
/// with the steps that are there.
LoadedCheckpoint read_checkpoint_of_step(const std::filesystem::path& folder, std::uint64_t step);

/// The newest checkpoint that is whole. Each one passed over is warned about with its fault. Throws
/// kCheckpoint when none is usable or there is none at all: ask list_checkpoints before, where
/// starting afresh is meant.
LoadedCheckpoint read_latest_checkpoint(const std::filesystem::path& folder);

}  // namespace softcot
