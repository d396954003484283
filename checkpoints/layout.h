#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace softcot {

// Names inside of a checkpoint; docs/file-formats.md describes their contents.
inline constexpr std::string_view kCheckpointSchema = "softcot-checkpoint";
inline constexpr std::uint64_t kCheckpointVersion = 1;
inline constexpr std::string_view kStateTensors = "state.safetensors";
inline constexpr std::string_view kStateJson = "state.json";
inline constexpr std::string_view kDoneMark = "DONE";

/// "step-00001200": eight digits, more when the step needs them, so that names sort like steps.
std::string checkpoint_name(std::uint64_t step);
/// The step of such a name, in exactly this spelling; nothing for any other name.
std::optional<std::uint64_t> step_of_name(std::string_view name);

struct CheckpointEntry {
  std::uint64_t step = 0;
  std::filesystem::path path;
  bool complete = false;  ///< Has its DONE mark. Says nothing about later damage.
};

/// The checkpoints in a folder by rising step; none when there is no such folder. Other files and
/// folders are passed over. Throws kCheckpoint when the folder cannot be read.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& folder);

/// Hidden name beside a checkpoint for work in progress of this process:
/// runtime/hidden_name.h.
std::filesystem::path work_path(const std::filesystem::path& folder, std::uint64_t step);

/// Whether `path` is such a name of a process that is not at work on it any more: one that is gone,
/// or this process itself.
bool is_leftover(const std::filesystem::path& path);

}  // namespace softcot
