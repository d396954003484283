#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace softcot {

/// A token that is matched in text before anything else, with the file's flags.
struct AddedToken {
  std::int64_t id = 0;
  std::string content;
  bool single_word = false;  ///< Only where no word character touches it.
  bool lstrip = false;       ///< Takes the white space before it along.
  bool rstrip = false;       ///< Takes the white space after it along.
  bool normalized = false;   ///< Looked for after normalization, in its normalized spelling.
};

/// Finds added tokens in text: leftmost first, of several at one place the longest.
class AddedTokenMatcher {
 public:
  AddedTokenMatcher();

  /// `pattern` is what is looked for; not empty.
  void add(const AddedToken& token, std::string_view pattern);

  bool empty() const { return tokens_.empty(); }

  /// Cuts `text` (valid UTF-8) into tokens and the text between them, in order. `id` is empty for
  /// plain text, which is never of length 0.
  void for_each_part(std::string_view text,
                     const std::function<void(std::string_view part,
                                              std::optional<std::int64_t> id)>& visit) const;

 private:
  struct Node {
    std::unordered_map<unsigned char, std::size_t> next;
    std::size_t token = 0;  // 1 + index into tokens_; 0: none ends here
  };
  struct Match {
    std::size_t length = 0;
    const AddedToken* token = nullptr;
  };
  Match longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> trie_;
  std::vector<bool> begins_;  // by byte: whether a token starts with it
};

}  // namespace softcot
