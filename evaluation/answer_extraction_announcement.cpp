#include "evaluation/answer_extraction_announcement.h"

#include <algorithm>

#include "evaluation/answer_extraction_text.h"

namespace softcot {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool is_space(char c) { return c == ' ' || c == '\n'; }

// How far after "answer" its "is" may stand: "the answer to the second question is 5".
constexpr std::size_t kLongestDetour = 80;

// Where the claim of an announcing word that ends at `at` begins, or kNone.
std::size_t after_verb(std::string_view plain, std::size_t at) {
  const std::size_t limit = std::min(plain.size(), at + kLongestDetour);
  const auto skip_dress = [&](std::size_t i) {
    while (i < plain.size() && (is_space(plain[i]) || plain[i] == '*' || plain[i] == '_')) ++i;
    return i;
  };
  std::size_t i = skip_dress(at);
  if (i < plain.size() && (plain[i] == ':' || plain[i] == '=')) return i + 1;
  const bool detour = word_at(plain, i, "to") || word_at(plain, i, "of") ||
                      word_at(plain, i, "for") || word_at(plain, i, "would") ||
                      word_at(plain, i, "should") || word_at(plain, i, "must") ||
                      word_at(plain, i, "therefore");
  for (; i < limit; ++i) {
    if (plain[i] == '\n' || plain[i] == '.' || plain[i] == '?' || plain[i] == kBoxOpen)
      return kNone;
    for (const std::string_view verb : {"is", "was", "be", "equals"}) {
      if (!word_at(plain, i, verb)) continue;
      i = skip_dress(i + verb.size());
      return i < plain.size() && plain[i] == ':' ? i + 1 : i;
    }
    if (!detour) return kNone;
  }
  return kNone;
}

std::size_t phrase_end(std::string_view plain, std::size_t at) {
  if (word_at(plain, at, "answer")) return after_verb(plain, at + 6);
  for (const std::string_view noun : {"option", "choice"}) {
    if (word_at(plain, at, noun)) return after_verb(plain, at + noun.size());
  }
  return kNone;
}

// What may stand between the announcing words and the answer: line ends, emphasis, quotes,
// brackets, and a '$' that opens maths rather than names a price.
bool is_wrapping(std::string_view plain, std::size_t at) {
  if (plain[at] != '$')
    return std::string_view(" \n*_:=\"`'[").find(plain[at]) != std::string_view::npos;
  const char next = at + 1 < plain.size() ? plain[at + 1] : ' ';
  return !is_digit(next) && next != '.' && next != '-';
}

// The end of the sentence or line that starts at `at`, at most `limit`.
std::size_t claim_end(std::string_view plain, std::size_t at, std::size_t limit) {
  for (std::size_t i = at; i < limit; ++i) {
    if (plain[i] == '\n') return i;
    if (plain[i] == '.' && i + 1 < limit && is_space(plain[i + 1]) &&
        (i + 2 >= limit || !is_digit(plain[i + 2]))) {
      return i;
    }
  }
  return limit;
}

}  // namespace

std::vector<Announcement> find_announcements(std::string_view plain) {
  struct Start {
    Announcement::Kind kind;
    std::size_t mark;   // Where the announcing words begin.
    std::size_t claim;  // Where the claim begins.
    std::size_t end;    // For a box: where it ends.
  };
  std::vector<Start> starts;
  for (std::size_t i = 0; i < plain.size();) {
    if (plain[i] == kBoxOpen) {
      const std::size_t end = std::min(plain.find(kBoxClose, i), plain.size());
      starts.push_back({Announcement::Kind::kBox, i, i + 1, end});
      i = end;
    } else if (plain.substr(i, 4) == "####") {
      const std::size_t end = std::min(plain.find_first_not_of('#', i), plain.size());
      starts.push_back({Announcement::Kind::kHashes, i, end, 0});
      i = end;
    } else if (const std::size_t claim = phrase_end(plain, i); claim != kNone) {
      starts.push_back({Announcement::Kind::kPhrase, i, claim, 0});
      i = std::max(claim, i + 1);
    } else {
      ++i;
    }
  }
  std::vector<Announcement> found;
  for (std::size_t s = 0; s < starts.size(); ++s) {
    auto [kind, mark, claim, end] = starts[s];
    const std::size_t limit = s + 1 < starts.size() ? starts[s + 1].mark : plain.size();
    if (kind != Announcement::Kind::kBox) {
      while (claim < limit && is_wrapping(plain, claim)) ++claim;
      end = claim_end(plain, claim, limit);
    }
    found.push_back({kind, plain.substr(claim, end - claim)});
  }
  return found;
}

}  // namespace softcot
