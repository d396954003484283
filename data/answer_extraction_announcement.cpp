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
  for (const std::string_view known : {"st", "mr", "mrs", "ms", "dr", "mt", "jr", "sr", "vs"}) {
    if (word.size() == known.size() && word_at(plain.substr(0, at), begin, known)) return true;
  }
  return false;
}

// The end of the sentence or line that starts at `at`, at most `limit`.
std::size_t claim_end(std::string_view plain, std::size_t at, std::size_t limit) {
  for (std::size_t i = at; i < limit; ++i) {
    if (plain[i] == '\n') return i;
    // "yes... no": a pause, not an end.
    if (plain[i] == '.' && i > at && plain[i - 1] == '.') continue;
    if (plain[i] == '.' && i + 1 < limit && is_space(plain[i + 1]) &&
        (i + 2 >= limit || !is_digit(plain[i + 2])) && !abbreviates(plain, i)) {
      return i;
    }
  }
  return limit;
}

// Whether the name of a question or of a speaker stands at `at` as its heading: "Question:", "Q2:",
// "Problem 3", "Exercise 2. Tim", "User", but not "Problem 3 is hard".
bool names_question(std::string_view plain, std::size_t at) {
  for (const std::string_view name :
       {"question", "questions", "q", "problem", "exercise", "example", "user", "human",
        "instruction", "im_start", "input", "task", "assistant", "system", "inst", "prompt",
        "query", "student"}) {
    std::size_t end = at + name.size();
    // "Q2" is one word, so only what comes before its end is looked at.
    if (end > plain.size() || !word_at(plain.substr(0, end), at, name)) continue;
    if (is_letter(char_at(plain, end))) continue;
    const std::size_t name_end = end;
    constexpr std::string_view kNumbering = " 0123456789.*_#(";
    const auto past = [&](std::size_t from, std::string_view characters) {
      return std::min(plain.find_first_not_of(characters, from), plain.size());
    };
    end = past(end, kNumbering);
    bool spelled = false;
    for (const std::string_view number :
         {"i", "ii", "iii", "iv", "v", "one", "two", "three", "four", "five", "six"}) {
      if (spelled || end == name_end || !word_at(plain, end, number)) continue;
      spelled = true;
      end = past(end + number.size(), kNumbering);
    }
    if (char_at(plain, end) == ')' && end + 1 < plain.size() && plain[end + 1] == ':') ++end;
    const std::string_view between = plain.substr(name_end, end - name_end);
    const bool numbered =
        spelled || name == "q" || std::any_of(between.begin(), between.end(), is_digit);
    const char mark = char_at(plain, end);
    if (std::string_view(":|>]\n").find(mark) != std::string_view::npos || end == plain.size() ||
        between.find('.') != std::string_view::npos)
      return true;
    if (mark == '-' && char_at(plain, end + 1) == ' ') return true;
    if (numbered && (mark == ')' || (name != "q" && is_letter(mark) && mark != lower(mark))))
      return true;
  }
  return false;
}

// What may stand before the first word of a line.
constexpr std::string_view kLineDress = " *#_<|[(\"`>/,-";

// Whether the line that begins at `line` asks a question anew.
bool asks_anew(std::string_view plain, std::size_t line) {
  constexpr int kMostFillers = 8;
  std::size_t word = std::min(plain.find_first_not_of(kLineDress, line), plain.size());
  bool anew = false;
  for (int fillers = 0; fillers < kMostFillers; ++fillers) {
    for (const std::string_view again :
         {"now",    "is",  "here's",   "here",    "let's",  "try",   "a",         "the",
          "next",   "new", "another",  "similar", "second", "ok",    "okay",      "do",
          "follow", "up",  "practice", "word",    "bonus",  "extra", "following", "final"}) {
      if (!word_at(plain, word, again)) continue;
      anew = anew || again == "next" || again == "new" || again == "another";
      if (anew && char_at(plain, word + again.size()) == ':') return true;  // "Next: …"
      word = std::min(plain.find_first_not_of(kLineDress, word + again.size()), plain.size());
      break;
    }
  }
  return names_question(plain, word) ||
         (anew && word_at(plain, word, "one") && !is_letter(char_at(plain, word + 4)));
}

// Whether a mark of a chat template begins at `at`: "<|eot_id|>", "[INST]", "</s>".
bool is_chat_mark(std::string_view plain, std::size_t at) {
  const std::string_view rest = plain.substr(at);
  return (rest.starts_with("<|") && is_letter(char_at(rest, 2))) || rest.starts_with("[INST]") ||
         rest.starts_with("[/INST]") || rest.starts_with("</s>") ||
         rest.starts_with("<start_of_turn>") || rest.starts_with("<end_of_turn>");
}

// Whether a question is asked anew within a line, after the space at `at`: "… is 42. Question: …",
// "… is 42. Problem 2: …", "… is 42. User: …".
bool asks_within_line(std::string_view plain, std::size_t at) {
  const std::size_t name = at + 1;
  if (is_letter(plain[at - 1]) || !names_question(plain, name)) return false;
  if (char_at(plain, name) == 'Q' && word_at(plain, name, "question")) return true;
  const std::size_t name_end = plain.find_first_of(" 0123456789.*_:|>\n", name);
  const std::size_t mark =
      plain.find_first_not_of(" 0123456789.*_", std::min(name_end, plain.size()));
  if (std::string_view(":|>").find(char_at(plain, mark)) == std::string_view::npos) return false;
  const bool sentence = std::string_view(".!?").find(plain[at - 1]) != std::string_view::npos;
  const bool numbered = mark > name_end + 1;
  const std::string_view word = plain.substr(name, name_end - name);
  return word == "Q" || (sentence && (word == "User" || word == "Human" ||
                                      (numbered && (word == "Problem" || word == "Exercise"))));
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

bool surely_asks(std::string_view plain, std::size_t at) {
  if (is_chat_mark(plain, at)) return true;
  const std::size_t word = std::min(plain.find_first_not_of(kLineDress, at), plain.size());
  for (const std::string_view name : {"question", "problem", "exercise", "example", "user", "human",
                                      "instruction", "im_start", "next", "new", "another"}) {
    // "Next: …" may be a step.
    if (word_at(plain, word, name)) return name != "next" || char_at(plain, word + 4) != ':';
  }
  return lower(char_at(plain, word)) == 'q';
}

std::size_t next_question(std::string_view plain, std::size_t from) {
  for (std::size_t i = from; i < plain.size(); ++i) {
    if (plain[i] == '\n' && asks_anew(plain, i + 1)) return i + 1;
    if (i > from && (is_chat_mark(plain, i) || (plain[i] == ' ' && asks_within_line(plain, i))))
      return plain[i] == ' ' ? i + 1 : i;
  }
  return plain.size();
}

}  // namespace softcot
