#include "data/number_words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace softcot {
namespace {

constexpr std::array<std::string_view, 20> kUnits = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 10> kTens = {
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};
constexpr std::array<std::string_view, 11> kOrdinals = {"half",  "halve", "third",   "fourth",
                                                        "fifth", "sixth", "seventh", "eighth",
                                                        "ninth", "tenth", "twelfth"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// What a word adds to a number being read.
struct NumberWord {
  std::int64_t value;
  std::int64_t below;  ///< It may follow only where all places under this are still free.
  bool scale = false;  ///< "hundred", "thousand": it multiplies what came before.
};

std::optional<NumberWord> number_word(std::string_view word) {
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (word == kUnits[i]) return NumberWord{static_cast<std::int64_t>(i), i < 10 ? 10 : 100};
  }
  for (std::size_t i = 2; i < kTens.size(); ++i) {
    if (word == kTens[i]) return NumberWord{static_cast<std::int64_t>(i) * 10, 100};
  }
  if (word == "hundred") return NumberWord{100, 1000, true};
  if (word == "thousand") return NumberWord{1000, 1000000, true};
  return std::nullopt;
}

/// Takes words one by one: "five hundred" "fifty" "four".
class Reader {
 public:
  /// False if the word cannot go on with the number.
  bool take(const NumberWord& word) {
    if (word.scale) {
      if (word.value == 100 ? part_ == 0 || part_ > 9 : part_ == 0 || total_ > 0) return false;
      part_ *= word.value;
      if (word.value == 1000) total_ = std::exchange(part_, 0);
      free_ = word.value;
      return true;
    }
    // A unit goes after tens, "twenty" "four", but not after another unit or a teen.
    if (word.below > free_ || (word.value == 0 && begun_)) return false;
    part_ += word.value;
    free_ = word.value >= 20 ? 10 : 1;
    begun_ = true;
    return true;
  }
  std::int64_t value() const { return total_ + part_; }

 private:
  std::int64_t total_ = 0;
  std::int64_t part_ = 0;
  std::int64_t free_ = 1000000;  // Places under this are free.
  bool begun_ = false;
};

}  // namespace

std::string word_at(std::string_view text, std::size_t at) {
  std::string word;
  for (; at < text.size() && (is_letter(text[at]) || is_digit(text[at])); ++at) {
    word += lower(text[at]);
  }
  return word;
}

std::optional<SpelledNumber> read_number_words(std::string_view text, std::size_t at) {
  Reader reader;
  std::optional<SpelledNumber> found;
  for (std::size_t next = at; next < text.size();) {
    std::string word = word_at(text, next);
    if (found && word == "and" && text.substr(next).starts_with("and ")) {
      const auto before = number_word(word_at(text, text.rfind(' ', next - 2) + 1));
      if (!before || !before->scale) break;
      next += 4;
      word = word_at(text, next);
    }
    const auto part = number_word(word);
    if (!part || !reader.take(*part)) break;
    next += word.size();
    found = {reader.value(), next - at};
    if (next >= text.size() || (text[next] != ' ' && text[next] != '-')) break;
    ++next;
  }
  return found;
}

std::string number_words(std::int64_t value) {
  const auto index = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  if (value < 20) return std::string(kUnits[index(value)]);
  if (value < 100) {
    const std::string tens(kTens[index(value / 10)]);
    return value % 10 == 0 ? tens : tens + "-" + number_words(value % 10);
  }
  const std::int64_t scale = value < 1000 ? 100 : 1000;
  const std::string text = number_words(value / scale) + (scale == 100 ? " hundred" : " thousand");
  return value % scale == 0 ? text : text + " " + number_words(value % scale);
}

bool is_ordinal_word(std::string_view word) {
  if (word.size() > 2 && is_digit(word.front())) {
    const std::string_view end = word.substr(word.find_last_of("0123456789") + 1);
    return end == "st" || end == "nd" || end == "rd" || end == "th";
  }
  if (word.ends_with('s')) word.remove_suffix(1);
  return std::find(kOrdinals.begin(), kOrdinals.end(), word) != kOrdinals.end() ||
         (word.size() > 5 && word.ends_with("teenth")) || word.ends_with("tieth") ||
         word == "first" || word == "second" || word == "hundredth" || word == "quarter";
}

}  // namespace softcot
