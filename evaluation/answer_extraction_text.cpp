#include "evaluation/answer_extraction_text.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace softcot {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

struct Replacement {
  std::string_view from;
  std::string_view to;
};

// Characters beyond ASCII that matter to an answer, in UTF-8.
constexpr std::array kCharacters = {
    Replacement{"\u2212", "-"},    Replacement{"\u2010", "-"},    Replacement{"\u2011", "-"},
    Replacement{"\u2013", "-"},    Replacement{"\uFE63", "-"},    Replacement{"\uFF0D", "-"},
    Replacement{"\u2014", " "},    Replacement{"\u2044", "/"},    Replacement{"\u00F7", "/"},
    Replacement{"\u00D7", "*"},    Replacement{"\u00B7", "*"},    Replacement{"\u2248", "="},
    Replacement{"\uFF0C", ","},    Replacement{"\uFF0E", "."},    Replacement{"\uFF05", "%"},
    Replacement{"\uFF1A", ":"},    Replacement{"\u3002", ". "},   Replacement{"\u20AC", "$"},
    Replacement{"\u00A3", "$"},    Replacement{"\u00A5", "$"},    Replacement{"\u20B9", "$"},
    Replacement{"\u20A9", "$"},    Replacement{"\u00A2", "$"},    Replacement{"\u00BD", " 1/2"},
    Replacement{"\u00BC", " 1/4"}, Replacement{"\u00BE", " 3/4"}, Replacement{"\u2153", " 1/3"},
    Replacement{"\u2154", " 2/3"}, Replacement{"\u215B", " 1/8"}, Replacement{"\u2019", "'"},
    Replacement{"\u201C", "\""},   Replacement{"\u201D", "\""},   Replacement{"\u200B", ""},
    Replacement{"\uFEFF", ""},     Replacement{"\u2060", ""},     Replacement{"\uFF08", "("},
    Replacement{"\uFF09", ")"},
};

constexpr std::array<std::string_view, 4> kGroupSpaces = {"\u00A0", "\u202F", "\u2009", "\u2007"};

// LaTeX commands with a meaning of their own; every other one becomes a space.
constexpr std::array kCommands = {
    Replacement{"times", "*"},  Replacement{"cdot", "*"},      Replacement{"div", "/"},
    Replacement{"approx", "="}, Replacement{"equiv", "="},     Replacement{"text", ""},
    Replacement{"textbf", ""},  Replacement{"textit", ""},     Replacement{"mathrm", ""},
    Replacement{"mathbf", ""},  Replacement{"mbox", ""},       Replacement{"left", ""},
    Replacement{"right", ""},   Replacement{"boldsymbol", ""}, Replacement{"operatorname", ""},
    Replacement{"pounds", "$"}, Replacement{"euro", "$"},      Replacement{"displaystyle", ""},
};

// For every '{', where its '}' is (kNone if it is never closed), and the other way round.
std::vector<std::size_t> match_braces(std::string_view raw) {
  std::vector<std::size_t> partner(raw.size(), kNone);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\\') {
      ++i;
    } else if (raw[i] == '{') {
      open.push_back(i);
    } else if (raw[i] == '}' && !open.empty()) {
      partner[open.back()] = i;
      partner[i] = open.back();
      open.pop_back();
    }
  }
  return partner;
}

// One pass over the raw text, writing plain text.
class Undresser {
 public:
  explicit Undresser(std::string_view raw) : raw_(raw), partner_(match_braces(raw)) {
    out_.reserve(raw.size());
  }

  std::string run() {
    while (at_ < raw_.size()) step();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = raw_[at_];
    if (c == '\\') {
      command();
    } else if (c == '{' || c == '}') {
      brace();
    } else if (c == '^') {
      caret();
    } else if (raw_.substr(at_, 2) == "**") {
      stars();
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      wide();
    } else {
      const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n';
      put(control || c == 0x7f ? " " : raw_.substr(at_, 1), 1);
    }
  }

  void put(std::string_view text, std::size_t consumed) {
    out_ += text;
    at_ += consumed;
  }

  void brace() {
    if (raw_[at_] == '}') {
      if (at_ == box_end_) {
        box_end_ = kNone;
        return put({&kBoxClose, 1}, 1);
      }
      return put(raw_.substr(at_ + 1, 1) == "{" ? " " : "", 1);
    }
    put("", 1);
  }

  // An exponent keeps its mark; a degree sign is no exponent.
  void caret() {
    for (const std::string_view degree : {"^\\circ", "^{\\circ}"}) {
      if (raw_.substr(at_, degree.size()) == degree) return put(" ", degree.size());
    }
    put("^", 1);
  }

  // Two stars are bold, or a power between digits.
  void stars() {
    const bool power =
        !out_.empty() && is_digit(out_.back()) && at_ + 2 < raw_.size() && is_digit(raw_[at_ + 2]);
    put(power ? "^" : "", 2);
  }

  void wide() {
    for (const std::string_view space : kGroupSpaces) {
      if (raw_.substr(at_, space.size()) != space) continue;
      const std::string_view next = raw_.substr(at_ + space.size(), 4);
      const bool group = !out_.empty() && is_digit(out_.back()) && next.size() >= 3 &&
                         std::all_of(next.begin(), next.begin() + 3, is_digit) &&
                         (next.size() == 3 || !is_digit(next[3]));
      return put(group ? "," : " ", space.size());
    }
    for (const auto& [from, to] : kCharacters) {
      if (raw_.substr(at_, from.size()) == from) return put(to, from.size());
    }
    // Full-width digits U+FF10 to U+FF19.
    const std::string_view three = raw_.substr(at_, 3);
    if (three.size() == 3 && three.substr(0, 2) == "\xEF\xBC" && three[2] >= '\x90' &&
        three[2] <= '\x99') {
      out_ += static_cast<char>('0' + (three[2] - '\x90'));
      at_ += 3;
      return;
    }
    put(raw_.substr(at_, 1), 1);
  }

  void command() {
    std::size_t end = at_ + 1;
    while (end < raw_.size() && is_letter(raw_[end])) ++end;
    const std::string_view name = raw_.substr(at_ + 1, end - at_ - 1);
    if (name.empty()) return symbol();
    if (name == "boxed" || name == "fbox") return box(end);
    if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
      if (fraction(end)) return;
    }
    for (const auto& [from, to] : kCommands) {
      if (name == from) return put(to, end - at_);
    }
    put(" ", end - at_);
  }

  // A backslash and one character that is no letter: \$ \% \, \{ and the like.
  void symbol() {
    const char c = at_ + 1 < raw_.size() ? raw_[at_ + 1] : ' ';
    if (c == ',' || c == '!') {
      put("", 2);
    } else if (c == '\\') {
      put("\n", 2);
    } else if (c == '$' || c == '%' || c == '#' || c == '&' || c == '_') {
      put(raw_.substr(at_ + 1, 1), 2);
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      put(" ", 1);
    } else {
      put(" ", std::min<std::size_t>(2, raw_.size() - at_));
    }
  }

  void box(std::size_t end) {
    while (end < raw_.size() && raw_[end] == ' ') ++end;
    const bool braced = end < raw_.size() && raw_[end] == '{' && partner_[end] != kNone;
    if (!braced || box_end_ != kNone) return put(" ", end - at_);
    box_end_ = partner_[end];
    put({&kBoxOpen, 1}, end + 1 - at_);
  }

  // "{12}" or a single digit; empty where there is neither.
  std::string_view numeric_part(std::size_t& at) const {
    while (at < raw_.size() && raw_[at] == ' ') ++at;
    if (at < raw_.size() && is_digit(raw_[at])) return raw_.substr(at++, 1);
    if (at >= raw_.size() || raw_[at] != '{' || partner_[at] == kNone) return {};
    std::size_t end = at + 1;
    while (is_digit(raw_[end]) || raw_[end] == ',' || raw_[end] == ' ' || raw_[end] == '-') ++end;
    if (raw_[end] != '}') return {};
    const std::string_view part = raw_.substr(at + 1, end - at - 1);
    at = end + 1;
    return part;
  }

  bool fraction(std::size_t at) {
    const std::string_view above = numeric_part(at);
    if (above.empty()) return false;
    const std::string_view below = numeric_part(at);
    if (below.empty()) return false;
    const auto trimmed = [](std::string_view part) {
      while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
      while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
      return part;
    };
    // A mixed number keeps its space; a sign before the fraction must stay next to it.
    if (!out_.empty() && is_digit(out_.back())) out_ += ' ';
    out_ += trimmed(above);
    out_ += '/';
    out_ += trimmed(below);
    out_ += raw_.substr(at, 1).empty() || !is_digit(raw_[at]) ? "" : " ";
    at_ = at;
    return true;
  }

  std::string_view raw_;
  std::vector<std::size_t> partner_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t box_end_ = kNone;
};

}  // namespace

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

char char_at(std::string_view text, std::size_t at) { return at < text.size() ? text[at] : '\0'; }

bool word_at(std::string_view text, std::size_t at, std::string_view word) {
  if (at > text.size() || text.size() - at < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (lower(text[at + i]) != word[i]) return false;
  }
  const auto inside = [](char c) { return is_letter(c) || is_digit(c); };
  const std::size_t end = at + word.size();
  return (at == 0 || !inside(text[at - 1])) && (end == text.size() || !inside(text[end]));
}

std::string plain_text(std::string_view raw) { return Undresser(raw).run(); }

}  // namespace softcot
