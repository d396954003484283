#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/record.h"

namespace softcot {

/// Whether the assistant's text names the number of thoughts.
enum class ThoughtPrompt {
  kCounted,    ///< It does, as in the paper: thoughts of one N are of no use for another.
  kUncounted,  ///< It does not: the first n thoughts made for N are the thoughts made for n.
};

/// The part of a text before a mark and the part after it.
struct SplitText {
  std::string before;
  std::string after;
};

/// All wording around a question, read from one file (docs/prompts.md has its format).
class PromptTemplate {
 public:
  /// @throws Error kUsage: no such file, a section that is missing, twice or unknown, a placeholder
  /// that is unknown or missing, {n} in an uncounted text or in the backbone's.
  static PromptTemplate load(const std::filesystem::path& path, ThoughtPrompt thoughts);

  ThoughtPrompt thoughts() const { return thoughts_; }

  /// The backbone's user turn around the block of thoughts. Without thoughts (zero-shot chain of
  /// thought) it has neither the hint nor the line breaks before {thoughts}. Its words do not
  /// depend on N: a model copies a number of its prompt into its answers.
  SplitText backbone_user(const Record& record, bool with_thoughts) const;
  /// The assistant's user turn.
  std::string assistant_user(const Record& record, std::int64_t n) const;
  /// The same turns where the assistant writes at most n tokens that the backbone gets as text.
  /// @throws Error kUsage unless the file has the sections for it.
  std::string assistant_write(const Record& record, std::int64_t n) const;
  std::string backbone_user_with(const Record& record, const std::string& written) const;
  /// What the assistant's turn says before its placeholders.
  std::string assistant_reply(std::int64_t n) const;
  /// What the backbone learns to write: the numbered steps but for the first `hidden`, then the
  /// answer.
  std::string target(const Record& record, std::int64_t hidden = 0) const;

  /// 32 hexadecimal digits over the texts of prompts and targets, but for those that an assistant
  /// writes; over those that thoughts depend on.
  const std::string& content_hash() const { return content_hash_; }
  const std::string& assistant_hash() const { return assistant_hash_; }
  /// Over the texts of assistant_write; over all texts there are.
  const std::string& write_hash() const { return write_hash_; }
  const std::string& written_hash() const { return written_hash_; }

 private:
  PromptTemplate() = default;

  ThoughtPrompt thoughts_ = ThoughtPrompt::kCounted;
  std::string backbone_user_;
  std::string backbone_hint_;
  std::string assistant_user_;
  std::string assistant_reply_;
  std::string where_;
  std::string assistant_write_;  // empty without the section
  std::string backbone_written_;
  std::string write_hash_;
  std::string written_hash_;
  std::string target_step_;
  std::string target_final_;
  std::string content_hash_;
  std::string assistant_hash_;
};

/// A placeholder's name without its braces, and what stands for it.
struct PromptValue {
  std::string_view name;
  std::string value;
};

/// Replaces each "{name}". What a value holds is not looked at again, and braces around other text
/// stay as they are.
std::string fill_prompt(std::string_view text, const std::vector<PromptValue>& values);

}  // namespace softcot
