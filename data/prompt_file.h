#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// The sections of a prompt file: "[name]" on a line of its own, then the text up to the next one
/// without white space at its ends; lines that begin with ";" are comments.
class PromptFile {
 public:
  /// @throws Error kUsage: no such file, too large, not UTF-8, text before the first section, a
  /// section twice.
  explicit PromptFile(const std::filesystem::path& path);

  /// The text of a section, in which each placeholder of `required` must occur and no other than
  /// those and `allowed` may. A placeholder is lower-case letters in braces.
  /// @throws Error kUsage if the section is missing or empty, or a placeholder is wrong.
  std::string section(const std::string& name, const std::vector<std::string_view>& required,
                      const std::vector<std::string_view>& allowed) const;

  bool has(const std::string& name) const { return sections_.contains(name); }

  /// @throws Error kUsage naming a section that `section` was never asked for in this list.
  void expect_only(const std::vector<std::string_view>& names) const;

 private:
  std::string where_;
  std::map<std::string, std::string> sections_;
};

/// Names of the placeholders in `text`, in order, repeated as they occur.
std::vector<std::string_view> prompt_placeholders(std::string_view text);

}  // namespace softcot
