#pragma once

#include <filesystem>
#include <string_view>

namespace softcot {

/// Puts bytes at the end of a file of records that the work can do without; makes the file when it
/// is missing. False when the disk does not take all of them: the file then ends where it did, so
/// that no half record stands in front of the next. Local; for one writer at a time.
bool append_to_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace softcot
