#include "checkpoints/compatibility.h"

#include <fmt/format.h>

#include <set>

#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

std::string text_of(const nlohmann::json* value) {
  if (value == nullptr) return "";
  return json_text(*value);
}

const nlohmann::json* find(const nlohmann::json& object, const std::string& key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

void compare(const std::string& field, const nlohmann::json* expected, const nlohmann::json* got,
             std::vector<MetadataDifference>& differences) {
  if (expected != nullptr && got != nullptr) {
    if (*expected == *got) return;
    if (expected->is_object() && got->is_object()) {
      std::set<std::string> keys;
      for (const auto& [key, value] : expected->items()) keys.insert(key);
      for (const auto& [key, value] : got->items()) keys.insert(key);
      for (const std::string& key : keys) {
        compare(field.empty() ? key : field + "." + key, find(*expected, key), find(*got, key),
                differences);
      }
      return;
    }
  }
  differences.push_back({field, text_of(expected), text_of(got)});
}

}  // namespace

std::vector<MetadataDifference> metadata_differences(const nlohmann::json& expected,
                                                     const nlohmann::json& got) {
  std::vector<MetadataDifference> differences;
  compare("", &expected, &got, differences);
  return differences;
}

void check_compatible(const nlohmann::json& expected, const nlohmann::json& got,
                      const std::string& where) {
  const std::vector<MetadataDifference> differences = metadata_differences(expected, got);
  if (differences.empty()) return;
  const MetadataDifference& first = differences.front();
  const std::string others = differences.size() == 1
                                 ? ""
                                 : fmt::format(" ({} more fields differ)", differences.size() - 1);
  fail(ExitCode::kCheckpoint,
       {.what = fmt::format("checkpoint is of another run: field \"{}\" differs{}", first.field,
                            others),
        .where = where,
        .expected = first.expected.empty() ? "no such field" : first.expected,
        .got = first.got.empty() ? "none" : first.got,
        .fix = "resume with the run's own configuration, or start in another run folder"});
}

}  // namespace softcot
