#include "data/answer_extraction_symbols.h"

#include <algorithm>
#include <array>

namespace softcot {
namespace {

struct Meaning {
  std::string_view name;
  std::string_view plain;
};

constexpr std::array kSigns = {
    Meaning{"times", "*"},      Meaning{"cdot", "*"},      Meaning{"ast", "*"},
    Meaning{"div", "/"},        Meaning{"over", "/"},      Meaning{"slash", "/"},
    Meaning{"approx", "="},     Meaning{"simeq", "="},     Meaning{"cong", "="},
    Meaning{"colon", ":"},      Meaning{"pounds", "$"},    Meaning{"euro", "$"},
    Meaning{"textdollar", "$"}, Meaning{"textminus", "-"}, Meaning{"ldots", "..."},
    Meaning{"dots", "..."},
};

// Type faces and sizes: nothing stands for them.
constexpr std::array<std::string_view, 47> kFaces = {
    "text",      "textbf",     "textit",       "textrm",    "textsf",    "texttt", "textsc",
    "textup",    "textnormal", "emph",         "mathrm",    "mathbf",    "mathit", "mathsf",
    "mathtt",    "bm",         "boldsymbol",   "pmb",       "mbox",      "hbox",   "operatorname",
    "left",      "right",      "big",          "Big",       "bigg",      "Bigg",   "bigl",
    "bigr",      "Bigl",       "Bigr",         "biggl",     "biggr",     "large",  "Large",
    "small",     "normalsize", "displaystyle", "bf",        "it",        "rm",     "tt",
    "underline", "ensuremath", "color",        "textcolor", "mathnormal"};

// Space, arrows and ornaments: a space stands for them.
constexpr std::array<std::string_view, 40> kSpaces = {
    "quad",       "qquad",     "enspace",   "thinspace",     "space",       "hspace",
    "vspace",     "hfill",     "newline",   "par",           "item",        "hline",
    "begin",      "end",       "label",     "tag",           "phantom",     "hphantom",
    "therefore",  "because",   "implies",   "iff",           "to",          "rightarrow",
    "Rightarrow", "leftarrow", "Leftarrow", "mapsto",        "circ",        "longrightarrow",
    "degree",     "checkmark", "square",    "Box",           "blacksquare", "qed",
    "bullet",     "noindent",  "centering", "Longrightarrow"};

constexpr std::array<std::string_view, 10> kLayoutArguments = {
    "color", "textcolor", "hspace", "vspace",  "begin",
    "end",   "label",     "tag",    "phantom", "hphantom"};

using enum Symbol::Kind;

constexpr std::array kSymbols = {
    Symbol{kPlain, "&minus;", "-"},     Symbol{kPlain, "&ndash;", "-"},
    Symbol{kPlain, "&#8722;", "-"},     Symbol{kPlain, "&#x2212;", "-"},
    Symbol{kPlain, "\u2212", "-"},      Symbol{kPlain, "\u2010", "-"},
    Symbol{kPlain, "\u2011", "-"},      Symbol{kPlain, "\u2012", "-"},
    Symbol{kPlain, "\u2013", "-"},      Symbol{kPlain, "\uFE63", "-"},
    Symbol{kPlain, "\uFF0D", "-"},      Symbol{kPlain, "\u2796", "-"},
    Symbol{kPlain, "\u2044", "/"},      Symbol{kPlain, "\u2215", "/"},
    Symbol{kPlain, "\u00F7", "/"},      Symbol{kPlain, "\u00D7", "*"},
    Symbol{kPlain, "\u00B7", "*"},      Symbol{kPlain, "\u22C5", "*"},
    Symbol{kPlain, "\u2248", "="},      Symbol{kPlain, "\uFF0C", ","},
    Symbol{kPlain, "\uFF0E", "."},      Symbol{kPlain, "\uFF05", "%"},
    Symbol{kPlain, "\uFF1A", ":"},      Symbol{kPlain, "\u3002", ". "},
    Symbol{kPlain, "\u20AC", "$"},      Symbol{kPlain, "\u00A3", "$"},
    Symbol{kPlain, "\u00A5", "$"},      Symbol{kPlain, "\u20B9", "$"},
    Symbol{kPlain, "\u20A9", "$"},      Symbol{kPlain, "\u00A2", "$"},
    Symbol{kPlain, "\u2019", "'"},      Symbol{kPlain, "\u201C", "\""},
    Symbol{kPlain, "\u201D", "\""},     Symbol{kPlain, "\u200B", ""},
    Symbol{kPlain, "\uFEFF", ""},       Symbol{kPlain, "\u2060", ""},
    Symbol{kPlain, "\uFF08", "("},      Symbol{kPlain, "\uFF09", ")"},
    Symbol{kPlain, "\uFF0B", "+"},      Symbol{kPlain, "\u2026", "..."},
    Symbol{kPlain, "\u2070", "^0"},     Symbol{kPlain, "\u00B9", "^1"},
    Symbol{kPlain, "\u00B2", "^2"},     Symbol{kPlain, "\u00B3", "^3"},
    Symbol{kPlain, "\u2074", "^4"},     Symbol{kPlain, "\u2075", "^5"},
    Symbol{kPlain, "\u2076", "^6"},     Symbol{kPlain, "\u2077", "^7"},
    Symbol{kPlain, "\u2078", "^8"},     Symbol{kPlain, "\u2079", "^9"},
    Symbol{kPlain, "\u207B", "^-"},     Symbol{kFraction, "\u00BD", "1/2"},
    Symbol{kFraction, "\u00BC", "1/4"}, Symbol{kFraction, "\u00BE", "3/4"},
    Symbol{kFraction, "\u2153", "1/3"}, Symbol{kFraction, "\u2154", "2/3"},
    Symbol{kFraction, "\u215B", "1/8"}, Symbol{kFormula, "\u00B1", ""},
    Symbol{kFormula, "\u2213", ""},     Symbol{kFormula, "\u221A", ""},
    Symbol{kFormula, "\u03C0", ""},     Symbol{kFormula, "\u221E", ""},
    Symbol{kFormula, "\u2264", ""},     Symbol{kFormula, "\u2265", ""},
    Symbol{kFormula, "\u2260", ""},     Symbol{kFormula, "\u2261", ""},
    Symbol{kGroupSpace, "\u00A0", ""},  Symbol{kGroupSpace, "\u202F", ""},
    Symbol{kGroupSpace, "\u2009", ""},  Symbol{kGroupSpace, "\u2007", ""},
    Symbol{kEmDash, "\u2014", ""},      Symbol{kEmDash, "\u2015", ""},
};

template <typename Names>
bool holds(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::optional<std::string_view> latex_meaning(std::string_view name) {
  for (const Meaning& sign : kSigns) {
    if (sign.name == name) return sign.plain;
  }
  if (holds(kFaces, name)) return "";
  if (holds(kSpaces, name)) return " ";
  return std::nullopt;
}

bool latex_layout_argument(std::string_view name) { return holds(kLayoutArguments, name); }

std::optional<Symbol> symbol_at(std::string_view text) {
  for (const Symbol& symbol : kSymbols) {
    if (text.starts_with(symbol.character)) return symbol;
  }
  return std::nullopt;
}

}  // namespace softcot
