#pragma once

#include <filesystem>
#include <string_view>

namespace softcot {

// Paths that a file names and a reader joins to the file's own folder. Both look at the words
// alone: a link that someone put into the folder is followed, as its owner meant it.

/// Whether folder / `named` lies in the folder or below it: `named` is relative, and no ".." in it
/// leads out.
bool stays_below(const std::filesystem::path& named);

/// Whether `name` is one step of a path: no '/', no control character, not empty, "." or "..".
bool is_plain_name(std::string_view name);

}  // namespace softcot
