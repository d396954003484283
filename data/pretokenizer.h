#pragma once

#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// Words that text was cut into. `words` point into the text or into `owned`.
struct WordList {
  std::vector<std::string_view> words;
  std::deque<std::string> owned;
};

/// Cuts text into the words that byte-pair encoding works on, as the `pre_tokenizer` of a
/// `tokenizer.json` says: Split, Digits, ByteLevel, or a Sequence of them that ends with ByteLevel.
/// Immutable; safe to use from several threads.
class PreTokenizer {
 public:
  /// One step of the sequence.
  class Stage {
   public:
    virtual ~Stage() = default;
    /// Appends the parts of all `words`, in order, to `out.words`.
    virtual void cut(const std::vector<std::string_view>& words, WordList& out) const = 0;
  };

  /// `where` names the file in errors.
  /// @throws Error kInput naming any component or option that is not known.
  PreTokenizer(const nlohmann::json& description, const std::string& where);

  /// `text` is valid UTF-8 and outlives the result's words.
  WordList cut(std::string_view text) const;

 private:
  std::vector<std::shared_ptr<const Stage>> stages_;
};

}  // namespace softcot
