#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace softcot {

/// A regular expression of a tokenizer file. Those files are written for Oniguruma: `\s` and `\S`
/// mean the Unicode property White_Space, letters and digits are Unicode's. Immutable; safe to use
/// from several threads.
class PretokenizerRegex {
 public:
  /// `where` names file and key in errors.
  /// @throws Error kInput if the pattern does not compile.
  PretokenizerRegex(std::string_view pattern, std::string where);
  /// An expression that matches exactly this text.
  static PretokenizerRegex literal(std::string_view text, std::string where);

  /// Working memory for many texts in a row, on one thread. The expression outlives it.
  class Matcher {
   public:
    explicit Matcher(const PretokenizerRegex& regex);
    ~Matcher();
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;

    /// Cuts all of `text` (valid UTF-8) into matches and the parts between them, in order; parts
    /// are never empty.
    /// @throws Error kInput if matching exceeds the limits on steps or memory.
    void for_each_part(std::string_view text,
                       const std::function<void(std::string_view part, bool is_match)>& visit);

   private:
    struct State;
    int match(std::string_view text, std::size_t from);

    const PretokenizerRegex& regex_;
    std::unique_ptr<State> state_;
  };

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
  std::string where_;
};

}  // namespace softcot
