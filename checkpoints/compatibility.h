#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace softcot {

struct MetadataDifference {
  std::string field;     ///< "config.thoughts.count"
  std::string expected;  ///< As JSON; empty when the field is not expected at all.
  std::string got;       ///< As JSON; empty when the field is missing.
};

/// All fields, with dotted names in the order of names, in which two metadata objects differ.
/// Numbers are compared by value (1 equals 1.0).
std::vector<MetadataDifference> metadata_differences(const nlohmann::json& expected,
                                                     const nlohmann::json& got);

/// Throws kCheckpoint naming the first field that differs, both its values, `where`, and how many
/// more differ. Pass only what must be equal: a version number seldom has to be.
void check_compatible(const nlohmann::json& expected, const nlohmann::json& got,
                      const std::string& where);

}  // namespace softcot
