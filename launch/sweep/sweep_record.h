#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "launch/sweep/sweep.h"
#include "launch/sweep/sweep_plan.h"

namespace softcot {

inline constexpr const char* kSweepSchema = "softcot-sweep/1";

/// The content of sweep.json (docs/file-formats.md): what there is of each cell below `out`. Local;
/// a function of sweep, plan and what is in the folder.
nlohmann::ordered_json sweep_json(const Sweep& sweep, const SweepPlan& plan,
                                  const std::filesystem::path& out);

/// One line for each method of each finished cell. As above.
std::string sweep_csv(const Sweep& sweep, const SweepPlan& plan, const std::filesystem::path& out);

}  // namespace softcot
