#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "evaluation/study.h"

namespace softcot {

/// OptionSet::values_hash() of the options that a run's evaluate.cfg holds, as results.json has it.
std::string settings_hash(const Settings& settings);

/// Of all options of an evaluation, and of the training that it tested, those that can change what
/// this method answers, as Study wants them. Pure.
Settings deciding_settings(const std::string& name, const Settings& evaluation,
                           const Settings& training);

/// "training 41, evaluation 41": the seeds that this method depends on.
std::string seeds_of(const std::string& name, const Settings& evaluation, const Settings& training);

}  // namespace softcot
