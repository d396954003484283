#include "data/answer_extraction_announcement.h"

#include <algorithm>

#include "data/answer_extraction_text.h"

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

// Whether the point at `at` ends an abbreviation or an initial: "St. Louis", "J. K. Rowling".
bool abbreviates(std::string_view plain, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && is_letter(plain[begin - 1]) && at - begin < 4) --begin;
  const std::string_view word = plain.substr(begin, at - begin);
  if (word.size() == 1) return word[0] != lower(word[0]);
  for (const std::string_view known : {"st", "mr", "mrs", "ms", "dr", "mt", "jr", "sr"}) {
    if (word.size() == known.size() && word_at(plain.substr(0, at), begin, known)) return true;
  }
  return false;
}

// The end of the sentence or line that starts at `at`, at most `limit`.
std::size_t claim_end(std::string_view plain, std::size_t at, std::size_t limit) {
  for (std::size_t i = at; i < limit; ++i) {
    if (plain[i] == '\n') return i;
    if (plain[i] == '.' && i + 1 < limit && is_space(plain[i + 1]) &&
        (i + 2 >= limit || !is_digit(plain[i + 2])) && !abbreviates(plain, i)) {
      return i;
    }
  }
  return limit;
}

// Whether "Question:", "Q2:", "Problem 3:", "User:" or, in a heading, "Question" stands at `at`.
bool names_question(std::string_view plain, std::size_t at, bool heading = false) {
  for (const std::string_view name : {"question", "q", "problem", "exercise", "example", "user",
                                      "human", "instruction", "im_start"}) {
    std::size_t end = at + name.size();
    // "Q2" is one word, so only what comes before its end is looked at.
    if (end > plain.size() || !word_at(plain.substr(0, end), at, name)) continue;
    end = std::min(plain.find_first_not_of(" 0123456789.*_", end), plain.size());
    const char mark = char_at(plain, end);
    if (mark == ':' || mark == '|' || mark == '>' || (heading && (mark == '\n' || mark == '\0')))
      return true;
  }
  return false;
}

// Whether the line that begins at `line` asks a question anew.
bool asks_anew(std::string_view plain, std::size_t line) {
  std::size_t word = std::min(plain.find_first_not_of(" *#_<|[\"", line), plain.size());
  const bool heading = word > line && plain[line] == '#';
  for (const std::string_view again : {"next", "new", "another"}) {
    if (word_at(plain, word, again))
      word = std::min(plain.find_first_not_of(' ', word + again.size()), plain.size());
  }
  return names_question(plain, word, heading);
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
      const std::size_t words_end = claim;
      while (claim < limit && is_wrapping(plain, claim)) ++claim;
      // A dash that begins a later line is a bullet, not a sign: the list announces no one answer.
      const bool listed = plain.substr(claim, 2) == "- " &&
                          plain.substr(words_end, claim - words_end).find('\n') != plain.npos;
      end = listed ? claim : claim_end(plain, claim, limit);
    }
    found.push_back({kind, plain.substr(claim, end - claim)});
  }
  return found;
}

std::size_t next_question(std::string_view plain, std::size_t from) {
  for (std::size_t i = from; i < plain.size(); ++i) {
    if (plain[i] == '\n' && asks_anew(plain, i + 1)) return i + 1;
    // "… is 42. Question: …" within a line.
    const bool sentence = plain[i] == ' ' && i > from && !is_letter(plain[i - 1]);
    if (sentence && char_at(plain, i + 1) == 'Q' && names_question(plain, i + 1)) return i + 1;
  }
  return plain.size();
}

}  // namespace softcot
