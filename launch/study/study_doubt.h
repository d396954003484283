#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluation/study.h"

namespace softcot {

/// Why the results of a run may not be those of its settings, in words; empty if they are: the
/// options `evaluation` of its evaluate.cfg are not those that the results were made under, or the
/// results do not follow from the samples.
std::string doubt_of(const RunRecord& record, const Settings& evaluation);

/// The same of a cell of `compare`: what stands in its cell.cfg now is not what its cell.done is
/// of. Local.
std::string doubt_of_cell(const std::filesystem::path& folder);

/// Of the program that made the results.
std::string softcot_version(const Provenance& provenance);

/// The folders in a folder, by name.
std::vector<std::filesystem::path> sorted_folders(const std::filesystem::path& parent);

}  // namespace softcot
