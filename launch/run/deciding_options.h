#pragma once

#include <string>
#include <vector>

#include "launch/run/method.h"
#include "runtime/settings.h"

namespace softcot {

/// Whether an option can change what a run computes. The others say where, on what and until when
/// it runs, how fast, what is recorded on the way, and what is kept.
bool changes_results(const std::string& option);

/// Of some or all options, those that can change what any of these methods is trained to or
/// answers, under these very settings: seeds are excluded where nothing is sampled. A missing
/// option counts as its default. Throws kUsage for an unknown method. Pure.
Settings deciding(Settings all, const std::vector<std::string>& methods);

/// Of those, what this method is trained to depends on; nothing for a method that trains nothing.
Settings deciding_training(const Settings& all, const Method& method);

}  // namespace softcot
