#include "data/answer_extraction_word.h"

#include <algorithm>
#include <array>

#include "data/answer_extraction_text.h"
#include "data/answer_extraction_word_clues.h"

namespace softcot {
namespace {

using namespace word_clues;

using Answer = std::optional<std::string>;

// A letter at `at` is part of a formula or of a longer name: "A = 5", "E > 0", "x + A", "P(B)",
// "T-shirt".
bool in_formula(std::string_view text, std::size_t at) {
  const char glued = char_at(text, at + 1);
  if (glued == '^' || (glued == '_' && is_word_char(char_at(text, at + 2)))) return true;
  if ((glued == '-' || glued == '(') && is_word_char(char_at(text, at + 2))) return true;
  const char after = char_at(text, skip(text, at + 1, " )*$"));
  if (after != '\0' && std::string_view("=<>+^\x04").find(after) != std::string_view::npos)
    return true;
  std::size_t before = at;
  while (before > 0 && text[before - 1] == ' ') --before;
  if (before == 0) return false;
  const char c = text[before - 1];
  if (c == '>' && before >= 2 && (text[before - 2] == '-' || text[before - 2] == '=')) return false;
  return c == kFormulaClose || std::string_view("=<>+^").find(c) != std::string_view::npos;
}

// A letter that stands alone at `at`, not as the article "a": closed by a bracket, a point or the
// end, or a capital other than an article.
bool names_choice(std::string_view text, std::size_t at) {
  if (!is_letter(text[at]) || (at > 0 && is_word_char(text[at - 1]))) return false;
  const char next = char_at(text, at + 1);
  if (is_word_char(next) || in_formula(text, at)) return false;
  if (next == '\0' || std::string_view(").:,;]*\n\"`$\x03").find(next) != std::string_view::npos)
    return true;
  const std::size_t after = text.find_first_not_of(' ', at + 1);
  if (after == std::string_view::npos) return true;
  const bool capital = text[at] >= 'A' && text[at] <= 'Z';
  return capital && !((text[at] == 'A' || text[at] == 'I') && is_letter(text[after]) &&
                      text[after] == lower(text[after]) && joined_at(text, after) == after);
}

// "(B)", but not "P(A)" or "f(x)".
bool is_bracketed(std::string_view text, std::size_t at) {
  if (at == 0 || text[at - 1] != '(' || !is_letter(text[at]) || char_at(text, at + 1) != ')')
    return false;
  const bool applied = at >= 2 && is_word_char(text[at - 2]);
  return !applied || (at >= 3 && is_word_char(text[at - 3]));
}

// Whether another letter follows the one at `at`: "A, B", "A or B", "(A)(B)".
bool has_rival(std::string_view text, std::size_t at) {
  constexpr std::string_view kAround = " )(]*_\"`'$?";
  std::size_t next = skip(text, at + 1, kAround);
  next = skip(text, joined_at(text, next), kAround);
  for (const std::string_view filler :
       {"no", "also", "maybe", "perhaps", "possibly", "option", "choice"}) {
    if (word_at(text, next, filler))
      next = skip(text, joined_at(text, next + filler.size()), kAround);
  }
  return next < text.size() && lower(text[next]) != lower(text[at]) &&
         (names_choice(text, next) || is_bracketed(text, next));
}

// Whether another letter comes before the one at `at`, or what denies it: "A or B", "not B",
// "neither A nor option B".
bool has_rival_before(std::string_view text, std::size_t at) {
  constexpr std::string_view kAround = " (*_\"`'$";
  constexpr std::size_t kLookback = 80;
  const std::string_view before = text.substr(0, at);
  // "It is not true that option B is correct."
  std::size_t clause = at;
  while (clause > 0 && at - clause < kLookback &&
         std::string_view(",;.:\n").find(text[clause - 1]) == std::string_view::npos)
    --clause;
  if (negated_before(text.substr(clause, at - clause), at - clause)) return true;
  std::size_t end = at;
  const auto retreat = [&] {
    while (end > 0 && kAround.find(text[end - 1]) != std::string_view::npos) --end;
  };
  const auto ends_with = [&](std::string_view word) {
    return end >= word.size() && word_at(before.substr(0, end), end - word.size(), word);
  };
  for (bool moved = true; moved;) {
    moved = false;
    retreat();
    for (const std::string_view filler : {"option", "choice", "answer", "the", "letter"}) {
      if (!ends_with(filler)) continue;
      end -= filler.size();
      moved = true;
    }
  }
  for (const std::string_view word : {"or", "nor", "neither", "not", "and", "either", "both"}) {
    if (ends_with(word)) return true;
  }
  if (end == 0 || std::string_view(",/&|").find(text[end - 1]) == std::string_view::npos)
    return false;
  --end;
  while (end > 0 && std::string_view(" )*").find(text[end - 1]) != std::string_view::npos) --end;
  return end > 0 && is_letter(text[end - 1]) && (end == 1 || !is_word_char(text[end - 2]));
}

// "Option B is correct", "(B) is the right answer": the noun comes after the letter.
bool called_correct(std::string_view text, std::size_t at) {
  std::size_t next = at + 1;
  while (next < text.size() && std::string_view(") *").find(text[next]) != std::string_view::npos)
    ++next;
  if (!word_at(text, next, "is")) return false;
  next += 3;
  if (word_at(text, next, "the")) next += 4;
  for (const std::string_view praise : {"correct", "right", "answer"}) {
    if (!word_at(text, next, praise)) continue;
    const std::size_t after = skip(text, next + praise.size(), " ,");
    return char_at(text, after) != '?' && !word_at(text, after, "or");
  }
  return false;
}

struct Verdict {
  std::string_view word;
  std::string_view answer;
};

constexpr std::array kVerdicts = {Verdict{"yes", "yes"}, Verdict{"no", "no"},
                                  Verdict{"true", "yes"}, Verdict{"false", "no"}};

// "no evidence", "no one": a determiner, which decides nothing; "no because …" does.
bool is_determiner(std::string_view text, std::size_t at) {
  if (!word_at(text, at, "no") || char_at(text, at + 2) != ' ') return false;
  const char next = char_at(text, at + 3);
  if (!is_letter(next) || next != lower(next)) return false;
  for (const std::string_view reason : {"because", "since", "as", "but", "for"}) {
    if (word_at(text, at + 3, reason)) return false;
  }
  return true;
}

// At "not true", "isn't false": where "true" or "false" begins; else `at`.
std::size_t negated_truth(std::string_view text, std::size_t at) {
  for (const std::string_view word : {"not", "isn't"}) {
    if (!word_at(text, at, word)) continue;
    const std::size_t next = skip(text, at + word.size(), " *_\"`");
    if (word_at(text, next, "true") || word_at(text, next, "false")) return next;
  }
  return at;
}

// "yes and no", "true/false", "true for some, false for others": another verdict comes after the
// one that ends at `end`, or it is called wrong.
bool is_contradicted(std::string_view text, std::size_t end, const Verdict& first) {
  if (called_wrong(text, end)) return true;
  constexpr std::string_view kAround = " *_\"`'()?";
  std::size_t joined = skip(text, joined_at(text, skip(text, end, kAround)), kAround);
  for (const std::string_view filler : {"but", "also", "maybe", "perhaps"}) {
    if (word_at(text, joined, filler)) joined = skip(text, joined + filler.size(), kAround);
  }
  const auto is_bare = [](std::string_view word) { return word == "yes" || word == "no"; };
  for (std::size_t i = end; i < text.size(); ++i) {
    for (const std::string_view word :
         {"partly", "partially", "in part", "sometimes", "or not", "also not", "depends"}) {
      if (word_at(text, i, word)) return true;
    }
    if (const std::size_t negated = negated_truth(text, i); negated != i) {
      i = negated + 3;
      continue;
    }
    for (const Verdict& other : kVerdicts) {
      // "no, that is true" confirms.
      const bool counts = i == joined || is_bare(other.word) == is_bare(first.word);
      if (counts && other.answer != first.answer && word_at(text, i, other.word) &&
          !is_determiner(text, i))
        return true;
    }
  }
  return false;
}

}  // namespace

Answer choice_of(char letter) {
  return std::string(1, static_cast<char>(lower(letter) - 'a' + 'A'));
}

Answer claimed_choice(std::string_view claim) {
  std::size_t begin = 0;
  for (bool moved = true; moved;) {
    moved = false;
    begin = std::min(claim.find_first_not_of(kAnswerWrapping, begin), claim.size());
    for (const std::string_view filler :
         {"option", "choice", "letter", "answer", "the", "definitely"}) {
      if (!word_at(claim, begin, filler)) continue;
      begin += filler.size();
      moved = true;
    }
  }
  if (begin < claim.size() && names_choice(claim, begin)) {
    return has_rival(claim, begin) || called_wrong(claim, begin + 1)
               ? std::nullopt
               : Answer(choice_of(claim[begin]));
  }
  Answer only;
  for (std::size_t i = 0; i < claim.size(); ++i) {
    if (!is_bracketed(claim, i)) continue;
    if (!only && negated_before(claim, i)) return std::nullopt;
    if (only && *only != *choice_of(claim[i])) return std::nullopt;
    if (called_wrong(claim, i + 1)) return std::nullopt;
    only = choice_of(claim[i]);
  }
  return only;
}

Answer last_choice(std::string_view text) {
  Answer last;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool capital = is_letter(text[i]) && text[i] != lower(text[i]) && text[i] != 'I';
    if (is_bracketed(text, i) || (capital && names_choice(text, i))) last = choice_of(text[i]);
  }
  return last;
}

Answer last_called_choice(std::string_view text) {
  Answer last;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool named = is_bracketed(text, i) || names_choice(text, i);
    if (named && called_correct(text, i) && !has_rival_before(text, i)) last = choice_of(text[i]);
  }
  return last;
}

Answer claimed_yes_no(std::string_view claim) {
  const std::size_t begin = std::min(claim.find_first_not_of(kAnswerWrapping), claim.size());
  Answer only;
  bool clear = true;
  for (std::size_t i = begin; i < claim.size(); ++i) {
    if (const std::size_t negated = negated_truth(claim, i); negated != i) {
      // "not true" is no, "not false" is yes.
      const Answer answer = word_at(claim, negated, "true") ? "no" : "yes";
      clear = clear && (!only || only == answer);
      only = answer;
      i = negated + 3;
      continue;
    }
    if (claim.substr(i, 3) == "n't") clear = false;
    for (const std::string_view word :
         {"not", "never", "hardly", "neither", "longer", "nor", "cannot", "unlikely", "maybe",
          "perhaps", "possibly", "sometimes", "partly", "partially", "far", "could", "might",
          "depends"}) {
      if (word_at(claim, i, word)) clear = false;
    }
    for (const Verdict& verdict : kVerdicts) {
      if (!word_at(claim, i, verdict.word) || is_determiner(claim, i)) continue;
      if (i == begin) {
        return is_contradicted(claim, i + verdict.word.size(), verdict)
                   ? std::nullopt
                   : Answer(std::string(verdict.answer));
      }
      clear = clear && (!only || *only == verdict.answer) &&
              !called_wrong(claim, i + verdict.word.size());
      only = verdict.answer;
    }
  }
  return clear ? only : std::nullopt;
}

Answer last_yes_no(std::string_view text, Determiners determiners) {
  Answer last;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const std::string_view word : {"yes", "no"}) {
      if (word_at(text, i, word) &&
          (determiners == Determiners::kCounted || !is_determiner(text, i)))
        last = word;
    }
  }
  return last;
}

}  // namespace softcot
