#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace softcot {

/// Puts bytes at the end of a file of `size` bytes that is open for appending. 0, or the number of
/// the error: the file then ends where it did, so that no half record stands in front of the next;
/// a warning names `path` where that fails. A short write means that the disk is full. Local.
int append_or_undo(int descriptor, std::uint64_t size, std::string_view bytes,
                   const std::filesystem::path& path);

/// Puts bytes at the end of a file of records that the work can do without; makes the file when it
/// is missing. False when the disk does not take all of them: the file then ends where it did.
/// Local; for one writer at a time.
bool append_to_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace softcot
