#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "runtime/host_tensor.h"

namespace softcot {

/// The largest header that the format allows.
inline constexpr std::uint64_t kSafetensorsMaxHeader = 100'000'000;

/// What a safetensors header says of one tensor; offsets count from the end of the header.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::uint64_t data_start = 0;           ///< Bytes before the first tensor.
  std::vector<SafetensorsEntry> entries;  ///< By offset: they cover the data without gaps.
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of a whole file. Takes memory in proportion to the header that is
/// there, never to one that is only claimed. Throws kInput with `where` and the tensor at
/// fault.
///
/// Refuses whatever the Python library (0.8) refuses, and four things that it lets pass although
/// the format forbids them or no writer makes them: keys that come twice, white space before the
/// header's
/// "{", a tensor's description as a list, a dtype as an object.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           const std::string& where);

}  // namespace softcot
