#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace softcot {

/// "1 row", "3 rows": for nouns whose plural ends in s.
std::string counted(std::integral auto count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace softcot
