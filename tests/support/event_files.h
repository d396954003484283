#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace softcot::test {

/// One value in TensorBoard's event files.
struct EventScalar {
  std::int64_t step = 0;
  std::string tag;
  float value = 0;
  bool operator==(const EventScalar&) const = default;
};

/// All values of the event files of a folder, file by file in the order of names. Written apart
/// from what the program writes them with; lengths are believed, check sums are not looked at.
std::vector<EventScalar> event_scalars(const std::filesystem::path& folder);

}  // namespace softcot::test
