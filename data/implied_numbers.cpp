#include "data/implied_numbers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "data/number_words.h"

namespace softcot {
namespace {

struct Cue {
  std::vector<const char*> words;  ///< Lower case; a plural "s" may follow.
  std::vector<const char*> numbers;
};

const std::array<Cue, 35>& cues() {
  static const std::array<Cue, 35> all = {{
      {{"twice", "double", "doubled", "half", "halve", "halved", "pair", "couple", "both", "twin",
        "average", "second", "even", "other"},
       {"2", "0.5"}},
      {{"triple", "tripled", "thrice", "third"}, {"3"}},
      {{"quadruple", "fourth"}, {"4"}},
      {{"quarter"}, {"4", "25", "0.25"}},
      {{"fifth"}, {"5"}},
      {{"sixth"}, {"6"}},
      {{"seventh"}, {"7"}},
      {{"eighth"}, {"8"}},
      {{"ninth"}, {"9"}},
      {{"tenth", "ten", "decade"}, {"10"}},
      {{"hundred", "century", "centuries"}, {"100"}},
      {{"thousand"}, {"1000"}},
      {{"dozen"}, {"12"}},
      {{"square", "squared", "rectangle", "rectangular", "perimeter", "fence", "border"},
       {"2", "4"}},
      {{"wide", "width", "long", "length", "tall", "height", "side"}, {"2", "4"}},
      {{"triangle", "triangular"}, {"3", "2", "180"}},
      {{"angle"}, {"90", "180", "360", "4"}},
      {{"circle", "circular", "circumference", "radius", "diameter", "round"},
       {"2", "0.5", "3.14", "360"}},
      {{"pentagon"}, {"5"}},
      {{"hexagon", "cube"}, {"6", "3", "12"}},
      {{"octagon"}, {"8"}},
      {{"week", "weekly", "weekday", "weekend"}, {"7", "5", "2", "52"}},
      {{"day", "daily"}, {"24", "7"}},
      {{"hour", "hourly"}, {"60", "24"}},
      {{"minute"}, {"60"}},
      {{"month", "monthly"}, {"12", "4", "30"}},
      {{"year", "yearly", "annual"}, {"12", "52", "365"}},
      {{"cent", "penny", "pennies", "percent", "dollar"}, {"100", "0.01"}},
      {{"nickel"}, {"5", "0.05"}},
      {{"dime"}, {"10", "0.1"}},
      {{"foot", "feet", "ft", "inch", "inches", "yard"}, {"12", "3", "36"}},
      {{"meter", "metre", "cm", "centimeter", "kilometer", "km", "gram", "kilogram", "kg", "liter",
        "litre", "ml", "milliliter", "ton"},
       {"100", "1000"}},
      {{"pound", "lb", "ounce", "oz"}, {"16"}},
      {{"leg", "wheel", "tire", "finger", "toe", "eye", "ear", "arm", "paw", "wing"},
       {"2", "3", "4", "5", "6", "8", "10"}},
      {{"gallon", "quart", "pint", "cup"}, {"4", "2", "8", "16"}},
  }};
  return all;
}

using CueMap = std::unordered_map<std::string, std::vector<Rational>>;

const CueMap& cue_map() {
  static const CueMap map = [] {
    CueMap made;
    for (const Cue& cue : cues()) {
      for (const char* word : cue.words) {
        for (const char* number : cue.numbers) made[word].push_back(*Rational::parse(number));
      }
    }
    return made;
  }();
  return map;
}

bool begins_name(std::string_view text, std::size_t at) {
  const auto letter = [&](std::size_t i) { return i < text.size() ? text[i] : ' '; };
  return letter(at) >= 'A' && letter(at) <= 'Z' && letter(at + 1) >= 'a' && letter(at + 1) <= 'z';
}

/// How many names the list has that begins at `at`.
std::int64_t names_at(std::string_view text, std::size_t at) {
  std::int64_t count = 0;
  while (begins_name(text, at)) {
    ++count;
    at += word_at(text, at).size();
    std::size_t joint = 0;
    for (const std::string_view words : {", and ", ", ", " and "}) {
      if (joint == 0 && text.substr(at).starts_with(words)) joint = words.size();
    }
    if (joint == 0) break;
    at += joint;
  }
  return count;
}

}  // namespace

std::vector<Rational> implied_numbers(std::string_view text) {
  std::vector<Rational> numbers = {Rational(1)};
  const auto add = [&](const std::string& word) {
    const auto found = cue_map().find(word);
    if (found == cue_map().end()) return false;
    numbers.insert(numbers.end(), found->second.begin(), found->second.end());
    return true;
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '$' || text[at] == '%') add("cent");
    std::string word = word_at(text, at);
    if (const std::int64_t names = names_at(text, at); names > 1) numbers.emplace_back(names);
    at += std::max<std::size_t>(word.size(), 1);
    if (!add(word) && word.ends_with('s')) {
      word.pop_back();
      add(word);
    }
  }
  return numbers;
}

}  // namespace softcot
