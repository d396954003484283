#include "data/tokenizer_added.h"

#include <algorithm>

#include "data/tokenizer_text.h"

namespace softcot {
namespace {

std::size_t character_before(std::string_view text, std::size_t at) {
  do {
    --at;
  } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin > 0 &&
          is_word_character(code_point_at(text, character_before(text, begin)).value)) ||
         (end < text.size() && is_word_character(code_point_at(text, end).value));
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher() : trie_(1), begins_(256, false) {}

void AddedTokenMatcher::add(const AddedToken& token, std::string_view pattern) {
  begins_[static_cast<unsigned char>(pattern.front())] = true;
  std::size_t node = 0;
  for (const char c : pattern) {
    const auto [edge, is_new] =
        trie_[node].next.try_emplace(static_cast<unsigned char>(c), trie_.size());
    node = edge->second;
    if (is_new) trie_.emplace_back();
  }
  tokens_.push_back(token);
  trie_[node].token = tokens_.size();
}

AddedTokenMatcher::Match AddedTokenMatcher::longest_at(std::string_view text,
                                                       std::size_t at) const {
  Match best;
  std::size_t node = 0;
  for (std::size_t end = at; end < text.size();) {
    const auto edge = trie_[node].next.find(static_cast<unsigned char>(text[end]));
    if (edge == trie_[node].next.end()) break;
    node = edge->second;
    ++end;
    if (trie_[node].token > 0) best = {end - at, &tokens_[trie_[node].token - 1]};
  }
  return best;
}

void AddedTokenMatcher::for_each_part(
    std::string_view text,
    const std::function<void(std::string_view part, std::optional<std::int64_t> id)>& visit) const {
  std::size_t done = 0;  // all before it has been visited
  for (std::size_t at = 0; at < text.size();) {
    if (!begins_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    const Match match = longest_at(text, at);
    if (match.token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + match.length;
    at = end;
    if (match.token->single_word && touches_word(text, begin, end)) continue;
    if (match.token->lstrip) {
      while (begin > done) {
        const std::size_t before = character_before(text, begin);
        if (!is_white_space(code_point_at(text, before).value)) break;
        begin = before;
      }
    }
    if (match.token->rstrip) {
      while (end < text.size() && is_white_space(code_point_at(text, end).value)) {
        end += code_point_at(text, end).length;
      }
    }
    // White space that the token before took along may have reached into this one.
    begin = std::max(begin, done);
    end = std::max(end, begin);
    if (begin > done) visit(text.substr(done, begin - done), std::nullopt);
    visit(text.substr(begin, end - begin), match.token->id);
    done = end;
  }
  if (done < text.size()) visit(text.substr(done), std::nullopt);
}

}  // namespace softcot
