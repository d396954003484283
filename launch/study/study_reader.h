#pragma once

#include <filesystem>
#include <vector>

#include "evaluation/study.h"

namespace softcot {

/// Reads run folders and the OUT folders of `compare` and `sweep` into a study with its lines. A
/// run that is unfinished, of another version or unreadable is left out with its reason, which is
/// also warned about; one whose results are not those of its settings is in doubt. Throws kInput
/// for a folder that is missing, and when there are no results in any. Local; a function of what is
/// in the folders.
Study read_study(const std::vector<std::filesystem::path>& folders);

}  // namespace softcot
