#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// Edits (insert, delete, replace, swap of neighbours) that turn one text into the other.
int edit_distance(std::string_view a, std::string_view b);

/// The name that a mistyped one was most likely meant to be. A name "section.key" also matches when
/// `typed` is close to its key alone. Nothing when no name is near enough to be helpful.
std::optional<std::string> nearest_name(std::string_view typed,
                                        const std::vector<std::string>& names);

}  // namespace softcot
