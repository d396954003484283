#pragma once

#include <filesystem>
#include <string>

namespace softcot::test {

/// All bytes of a file; none where there is no file.
std::string slurp(const std::filesystem::path& path);
void spill(const std::filesystem::path& path, const std::string& bytes);

}  // namespace softcot::test
