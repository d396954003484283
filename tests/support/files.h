#pragma once

#include <filesystem>
#include <string>

namespace softcot::test {

/// All bytes of a file; none where there is no file.
std::string slurp(const std::filesystem::path& path);
void spill(const std::filesystem::path& path, const std::string& bytes);

/// JSON objects without the hash that they may carry (runtime/sealed_json.h): for a test that
/// changes them on purpose.
std::string without_seals(const std::string& json);

}  // namespace softcot::test
