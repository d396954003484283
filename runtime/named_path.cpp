#include "runtime/named_path.h"

#include <algorithm>

namespace softcot {

bool stays_below(const std::filesystem::path& named) {
  const std::filesystem::path normal = named.lexically_normal();
  return !normal.has_root_path() && (normal.empty() || *normal.begin() != "..");
}

bool is_plain_name(std::string_view name) {
  const auto breaks = [](unsigned char c) { return c == '/' || c < 0x20 || c == 0x7f; };
  return !name.empty() && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), breaks);
}

}  // namespace softcot
