#pragma once

#include <array>
#include <string_view>

namespace softcot::tie_words {

/// The words that tie a number to what stands next to it, in lower case.

/// Between two numbers they make an expression, a range or a list.
inline constexpr std::array kJoiningWords = std::to_array<std::string_view>(
    {"plus",    "minus",     "times", "x",         "over",       "to",    "or",      "and",
     "through", "until",     "till",  "versus",    "vs",         "mod",   "modulo",  "choose",
     "by",      "of",        "point", "divided",   "multiplied", "less",  "more",    "squared",
     "cubed",   "factorial", "in",    "remainder", "rem",        "maybe", "perhaps", "possibly"});
/// Of these one number is enough.
inline constexpr std::array kOperations = std::to_array<std::string_view>(
    {"divided", "multiplied", "squared", "cubed", "factorial", "raised", "give", "pm", "am"});
inline constexpr std::array kNumberWords = std::to_array<std::string_view>(
    {"two",      "three",    "four",    "five",     "six",      "seven",   "eight",   "nine",
     "ten",      "eleven",   "twelve",  "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
     "eighteen", "nineteen", "twenty",  "thirty",   "forty",    "fifty",   "sixty",   "seventy",
     "eighty",   "ninety",   "hundred", "thousand", "million",  "billion", "trillion"});
inline constexpr std::array kFractionWords = std::to_array<std::string_view>(
    {"half",  "halves", "third", "thirds", "quarter",   "quarters",   "fourth",     "fourths",
     "fifth", "fifths", "sixth", "sixths", "seventh",   "sevenths",   "eighth",     "eighths",
     "ninth", "ninths", "tenth", "tenths", "hundredth", "hundredths", "thousandth", "thousandths",
     "dozen", "dozens", "lakh",  "crore",  "score",     "pi",         "mil",        "mn",
     "bn",    "bil",    "tn",    "tens"});
inline constexpr std::array kBeforeWords = std::to_array<std::string_view>(
    {"plus", "minus",  "times",  "over", "than", "below", "above", "under", "between", "twice",
     "half", "double", "triple", "log",  "ln",   "sqrt",  "sin",   "cos",   "tan",     "exp"});
/// "the cube of 3": what they make of a number is another one.
inline constexpr std::array kFunctionWords = std::to_array<std::string_view>(
    {"root", "negative", "square", "cube", "log", "logarithm", "power", "reciprocal", "inverse",
     "opposite", "factorial", "percent", "percentage", "multiple"});
/// After a unit they go on with a further number: "3 dollars and 50 cents", "5 more than 10".
inline constexpr std::array kAfterUnitWords =
    std::to_array<std::string_view>({"and", "or", "plus", "minus", "times", "than", "remainder"});
/// "5, maybe 6".
inline constexpr std::array kListWords = std::to_array<std::string_view>(
    {"and", "or", "maybe", "perhaps", "possibly", "then", "even", "remainder", "rem", "also"});
inline constexpr std::array kMonths = std::to_array<std::string_view>(
    {"january", "february", "march",    "april", "june", "july", "august", "september",
     "october", "november", "december", "jan",   "feb",  "mar",  "apr",    "jun",
     "jul",     "aug",      "sep",      "sept",  "oct",  "nov",  "dec"});
/// Units that a second number goes on with: "3 hours 20 minutes", "5 ft 10 in".
inline constexpr std::array kCompoundUnits = std::to_array<std::string_view>(
    {"h",       "hr",    "hrs",    "hour",  "hours",  "min",    "mins",    "minute",
     "minutes", "day",   "days",   "week",  "weeks",  "month",  "months",  "year",
     "years",   "ft",    "feet",   "foot",  "lb",     "lbs",    "pound",   "dollar",
     "dollars", "euro",  "euros",  "rupee", "rupees", "second", "seconds", "meter",
     "meters",  "metre", "metres", "km",    "kg",     "gallon", "gallons", "quart",
     "quarts",  "yard",  "yards",  "mile",  "miles",  "inches", "cups",    "pounds"});
/// Letters that stand for a unit where they follow a number; any other single letter is a variable.
inline constexpr std::string_view kUnitLetters = "mgshlLdFCVWAJNcpt";

}  // namespace softcot::tie_words
