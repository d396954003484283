#include "data/answer_extraction_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "data/answer_extraction_symbols.h"

namespace softcot {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

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
class MarkupStripper {
 public:
  explicit MarkupStripper(std::string_view raw) : raw_(raw), partner_(match_braces(raw)) {
    out_.reserve(raw.size());
  }

  std::string run() {
    while (at_ < raw_.size()) {
      if (at_ >= formula_end_) close_formula();
      step();
    }
    if (formula_end_ != kNone) close_formula();
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
    } else if (c == '~') {
      group_space(1, ends_in_digit() ? "~" : " ");
    } else if (static_cast<unsigned char>(c) >= 0x80 || c == '&') {
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

  bool ends_in_digit() const { return !out_.empty() && is_digit(out_.back()); }

  // Space of `size` bytes: between digits and a group of three a comma, else `otherwise`.
  void group_space(std::size_t size, std::string_view otherwise) {
    std::size_t next = at_ + size;
    while (next < raw_.size() && (raw_[next] == '}' || raw_[next] == ' ')) ++next;
    const std::string_view group = raw_.substr(std::min(next, raw_.size()), 4);
    const bool three = group.size() >= 3 &&
                       std::all_of(group.begin(), group.begin() + 3, is_digit) &&
                       (group.size() == 3 || !is_digit(group[3]));
    if (!three || !ends_in_digit()) return put(otherwise, size);
    put(",", size);
    while (at_ < raw_.size() && raw_[at_] == ' ') ++at_;
  }

  void open_formula(std::size_t end) {
    if (formula_end_ != kNone) return;
    out_ += kFormulaOpen;
    formula_end_ = end;
  }

  void close_formula() {
    out_ += kFormulaClose;
    formula_end_ = kNone;
  }

  void wide() {
    if (const auto symbol = symbol_at(raw_.substr(at_))) return put_symbol(*symbol);
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

  void put_symbol(const Symbol& symbol) {
    const std::size_t size = symbol.character.size();
    switch (symbol.kind) {
      case Symbol::Kind::kPlain:
        return put(symbol.plain, size);
      case Symbol::Kind::kFraction:
        if (ends_in_digit()) out_ += ' ';
        return put(symbol.plain, size);
      case Symbol::Kind::kFormula:
        open_formula(at_ + size);
        return put(symbol.character, size);
      case Symbol::Kind::kGroupSpace:
        return group_space(size, " ");
      case Symbol::Kind::kEmDash:
        // Punctuation, but for one that leans on a number.
        const bool minus = is_digit(char_at(raw_, at_ + size)) && !ends_in_digit() &&
                           (out_.empty() || !is_letter(out_.back()));
        return put(minus ? "-" : " ", size);
    }
  }

  void command() {
    std::size_t end = at_ + 1;
    while (end < raw_.size() && is_letter(raw_[end])) ++end;
    const std::string_view name = raw_.substr(at_ + 1, end - at_ - 1);
    if (name.empty()) return symbol();
    if (name == "boxed" || name == "fbox") return box(end);
    const bool is_fraction =
        name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac";
    if (is_fraction && fraction(end)) return;
    const auto meaning = latex_meaning(name);
    if (name == "begin") begin_table(end);
    if (!meaning) return formula(name, end);
    if (latex_layout_argument(name)) end = argument_end(end);
    if (*meaning == " ") return group_space(end - at_, " ");
    put(*meaning, end - at_);
  }

  // The end of the argument in braces that begins at `at`; `at` where none does.
  std::size_t argument_end(std::size_t at) const {
    return char_at(raw_, at) == '{' && partner_[at] != kNone ? partner_[at] + 1 : at;
  }

  // A command with a value of its own: its name and its arguments, marked.
  void formula(std::string_view name, std::size_t end) {
    constexpr std::size_t kLongestOption = 16;  // \sqrt[3]{8}
    std::size_t last = end;
    if (char_at(raw_, last) == '[') {
      const std::size_t close = raw_.substr(last, kLongestOption).find(']');
      if (close != std::string_view::npos) last += close + 1;
    }
    for (std::size_t next = argument_end(last); next != last; next = argument_end(last))
      last = next;
    open_formula(last);
    put(name, end - at_);
    if (last > end) out_ += ' ';
  }

  // At \begin: marks what stands in a matrix, in cases or in an array, which is several values.
  void begin_table(std::size_t end) {
    const std::string_view kind = raw_.substr(end, argument_end(end) - end);
    const bool table = kind.ends_with("matrix}") || kind.ends_with("cases}") || kind == "{array}";
    if (table && formula_end_ == kNone)
      open_formula(std::min(raw_.find("\\end", end), raw_.size()));
  }

  // A backslash and one character that is no letter: \$ \% \, \{ and the like.
  void symbol() {
    const char c = at_ + 1 < raw_.size() ? raw_[at_ + 1] : ' ';
    if (c == '!') {
      put("", 2);
    } else if (c == ',' || c == ';' || c == ':' || c == ' ') {
      group_space(2, " ");
    } else if ((c == ')' || c == ']') && !out_.empty() && out_.back() == '!') {
      open_formula(at_ + 2);  // Within maths a '!' is a factorial.
      at_ += 2;
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

  // "{12}", "{-1,200.5}" or a single digit; empty where there is none of them.
  std::string_view numeric_part(std::size_t& at) const {
    while (at < raw_.size() && raw_[at] == ' ') ++at;
    if (at < raw_.size() && is_digit(raw_[at])) return raw_.substr(at++, 1);
    if (at >= raw_.size() || raw_[at] != '{' || partner_[at] == kNone) return {};
    std::size_t begin = at + 1;
    while (raw_[begin] == ' ') ++begin;
    std::size_t end = begin;
    if (raw_[end] == '-') ++end;
    const std::size_t digits = end;
    while (is_digit(raw_[end]) || (end > digits && (raw_[end] == ',' || raw_[end] == '.'))) ++end;
    const std::string_view part = raw_.substr(begin, end - begin);
    while (raw_[end] == ' ') ++end;
    if (raw_[end] != '}' || part.empty() || !is_digit(part.back())) return {};
    at = end + 1;
    return part;
  }

  bool fraction(std::size_t at) {
    const std::string_view above = numeric_part(at);
    if (above.empty()) return false;
    const std::string_view below = numeric_part(at);
    if (below.empty()) return false;
    // A mixed number keeps its space; a sign before the fraction must stay next to it.
    if (ends_in_digit()) out_ += ' ';
    out_ += above;
    out_ += '/';
    out_ += below;
    if (is_digit(char_at(raw_, at))) out_ += ' ';
    at_ = at;
    return true;
  }

  std::string_view raw_;
  std::vector<std::size_t> partner_;
  std::string out_;
  std::size_t at_ = 0;
  std::size_t box_end_ = kNone;
  std::size_t formula_end_ = kNone;
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

std::string plain_text(std::string_view raw) { return MarkupStripper(raw).run(); }

}  // namespace softcot
