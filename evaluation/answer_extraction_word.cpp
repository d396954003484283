#include "evaluation/answer_extraction_word.h"

#include <algorithm>
#include <array>

#include "evaluation/answer_extraction_text.h"

namespace softcot {
namespace {

using Answer = std::optional<std::string>;

bool is_word_char(char c) { return is_letter(c) || is_digit(c) || c == '\''; }

// A letter that stands alone at `at`, not as the article "a": closed by a bracket, a point or the
// end, or a capital other than an article.
bool names_choice(std::string_view text, std::size_t at) {
  if (!is_letter(text[at]) || (at > 0 && is_word_char(text[at - 1]))) return false;
  const char next = char_at(text, at + 1);
  if (is_word_char(next)) return false;
  if (next == '\0' || std::string_view(").:,;]*\n\"`$\x03").find(next) != std::string_view::npos)
    return true;
  const std::size_t after = text.find_first_not_of(' ', at + 1);
  if (after == std::string_view::npos) return true;
  const bool capital = text[at] >= 'A' && text[at] <= 'Z';
  return capital && !((text[at] == 'A' || text[at] == 'I') && is_letter(text[after]) &&
                      text[after] == lower(text[after]));
}

bool is_bracketed(std::string_view text, std::size_t at) {
  return at > 0 && text[at - 1] == '(' && is_letter(text[at]) && char_at(text, at + 1) == ')';
}

// "Option B is correct", "(B) is the right answer": the noun comes after the letter.
bool called_correct(std::string_view text, std::size_t at) {
  std::size_t next = at + 1;
  while (next < text.size() && std::string_view(") *").find(text[next]) != std::string_view::npos)
    ++next;
  if (!word_at(text, next, "is")) return false;
  next += 3;
  if (word_at(text, next, "the")) next += 4;
  return word_at(text, next, "correct") || word_at(text, next, "right") ||
         word_at(text, next, "answer");
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
  if (begin < claim.size() && names_choice(claim, begin)) return choice_of(claim[begin]);
  Answer only;
  for (std::size_t i = 0; i < claim.size(); ++i) {
    if (!is_bracketed(claim, i)) continue;
    if (only && *only != *choice_of(claim[i])) return std::nullopt;
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
    if (named && called_correct(text, i)) last = choice_of(text[i]);
  }
  return last;
}

Answer claimed_yes_no(std::string_view claim) {
  const std::size_t begin = std::min(claim.find_first_not_of(kAnswerWrapping), claim.size());
  Answer only;
  bool clear = true;
  for (std::size_t i = begin; i < claim.size(); ++i) {
    if (word_at(claim, i, "not")) clear = false;
    for (const auto& [word, answer] : kVerdicts) {
      if (!word_at(claim, i, word) || is_determiner(claim, i)) continue;
      if (i == begin) return std::string(answer);
      clear = clear && (!only || *only == answer);
      only = answer;
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
