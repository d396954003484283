#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace softcot::fuzz {

/// Runs `work`, which may refuse its input by a softcot::Error of the codes 2 to 5 and no other
/// way: any other exception, a wrong code, and 10 seconds of processor time end the process.
/// Returns whether `work` accepted.
bool accepts(const std::function<void()>& work);

/// Ends the process, which is how a target reports a broken promise.
void require(bool held, const char* promise);

/// A folder in memory that lives as long as the process.
const std::filesystem::path& folder();

/// Writes a file below `folder()` and gives its path.
std::filesystem::path write(const std::filesystem::path& name, std::string_view bytes);

/// The input as text.
std::string_view text(const std::uint8_t* data, std::size_t size);

/// The part before the first NUL byte and the part after it, for inputs of two files.
std::pair<std::string_view, std::string_view> halves(std::string_view input);

}  // namespace softcot::fuzz

/// What each target defines; libFuzzer's name. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
