#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoints/training_state.h"

namespace softcot::test {

/// A small state whose every part depends on the step.
TrainingState sample_state(std::uint64_t step);

/// Steps of the checkpoints in a folder.
std::vector<std::uint64_t> steps_in(const std::filesystem::path& folder);

/// All names in a folder, hidden ones too, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Changes a checkpoint's state.json and makes its DONE mark agree.
void edit_state_json(const std::filesystem::path& checkpoint,
                     const std::function<void(nlohmann::json&)>& edit);

/// Id of a process that has ended.
pid_t dead_process();

}  // namespace softcot::test
