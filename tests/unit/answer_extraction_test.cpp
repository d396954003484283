#include "data/answer_extraction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "unit/answer_cases.h"

namespace softcot {
namespace {

using std::string_literals::operator""s;

std::string repeat(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

std::string shown(const std::optional<std::string>& answer) { return answer.value_or("(none)"); }
std::string shown(const char* answer) { return answer != nullptr ? answer : "(none)"; }

// Of this thread: a busy machine does not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr Extractor kExtractors[] = {Extractor::kStrict, Extractor::kFlexible,
                                     Extractor::kReference};
constexpr AnswerType kTypes[] = {AnswerType::kNumber, AnswerType::kChoice, AnswerType::kYesNo,
                                 AnswerType::kText};

TEST(AnswerExtraction, ReadsEveryHardString) {
  EXPECT_GE(test::answer_cases().size(), 120u);
  for (const test::AnswerCase& hard : test::answer_cases()) {
    SCOPED_TRACE(hard.text);
    EXPECT_EQ(shown(extract_answer(Extractor::kStrict, hard.type, hard.text)), shown(hard.strict))
        << "strict";
    EXPECT_EQ(shown(extract_answer(Extractor::kFlexible, hard.type, hard.text)),
              shown(hard.flexible))
        << "flexible";
    const auto reference = extract_answer(Extractor::kReference, hard.type, hard.text);
    ASSERT_EQ(reference.has_value(), hard.reference != nullptr) << "reference";
    if (!reference) continue;
    // The table shows the digits as the text has them; 12.50 and 12.5 are one answer.
    EXPECT_TRUE(answers_equal(hard.type, *reference, hard.reference)) << "reference " << *reference;
  }
}

// tests/data/answers-hard.jsonl: signs apart from their digits, LaTeX around numbers, expressions,
// ranges, dates, several letters, negations and more, each with what `strict` must read; "none"
// where no reading is safe.
TEST(AnswerExtraction, StrictNeverReadsAWrongValue) {
  std::ifstream file(SOFTCOT_TEST_DATA "/answers-hard.jsonl");
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const auto hard = nlohmann::json::parse(line);
    const AnswerType type =
        answer_type_of(hard.at("type").get<std::string>(), "answers-hard.jsonl");
    const auto text = hard.at("text").get<std::string>();
    const auto strict = extract_answer(Extractor::kStrict, type, text);
    EXPECT_EQ(strict.value_or("none"), hard.at("right").get<std::string>())
        << hard.at("kind") << ": " << text;
    if (strict) {
      EXPECT_EQ(extract_answer(Extractor::kFlexible, type, text), strict) << text;
    }
  }
  EXPECT_GE(cases, 600u);
}

TEST(AnswerExtraction, FlexibleReadsNoNumberOutOfAFormula) {
  for (const char* text : {"\\boxed{\\frac{10}{\\frac{1}{2}}}", "It is \\sqrt{16}.", "so 5\\pi",
                           "\\boxed{\\binom{5}{2}}", "x = 2\\sqrt{3}", "x \\ge 3", "\u00b1 3"}) {
    EXPECT_EQ(extract_answer(Extractor::kFlexible, AnswerType::kNumber, text), std::nullopt)
        << text;
  }
}

TEST(AnswerExtraction, AReferenceCanBeMatchedWhereItIsReadAgain) {
  for (const char* number : {"18", "-0.5", "1,000", "3/4", "$18", "18 dollars", "\\frac{1}{2}"}) {
    EXPECT_TRUE(can_be_matched(AnswerType::kNumber, number)) << number;
  }
  for (const char* number : {"", "two", "1 000", "10^3", "5:30", "3 or 4", "0x10", "1,00",
                             "the square root of 16", "5 pm", "5.30pm", "1F", "($3)"}) {
    EXPECT_FALSE(can_be_matched(AnswerType::kNumber, number)) << number;
  }
  for (const char* text : {"New York", "5:30 p.m.", "22; 18", "3 : 2", "St. Louis", "C++", "a_b",
                           "\\sqrt{2}", "$5", "*bold*", "\"quoted\"", "caf\u00e9"}) {
    EXPECT_TRUE(can_be_matched(AnswerType::kText, text)) << text;
  }
  for (const char* text : {"", "{", "}", "**", "$"}) {
    EXPECT_FALSE(can_be_matched(AnswerType::kText, text)) << text;
  }
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    EXPECT_TRUE(can_be_matched(AnswerType::kChoice, std::string(1, letter))) << letter;
  }
  EXPECT_TRUE(can_be_matched(AnswerType::kYesNo, "Yes"));
  EXPECT_FALSE(can_be_matched(AnswerType::kYesNo, "maybe"));
}

TEST(AnswerExtraction, FlexibleKeepsEveryStrictAnswer) {
  for (const test::AnswerCase& hard : test::answer_cases()) {
    const auto strict = extract_answer(Extractor::kStrict, hard.type, hard.text);
    if (strict) {
      EXPECT_EQ(extract_answer(Extractor::kFlexible, hard.type, hard.text), strict) << hard.text;
    }
  }
}

TEST(AnswerExtraction, AnExtractedAnswerIsFoundAgainInItself) {
  for (const test::AnswerCase& hard : test::answer_cases()) {
    if (hard.type == AnswerType::kText) continue;
    const auto answer = extract_answer(Extractor::kFlexible, hard.type, hard.text);
    if (answer) {
      EXPECT_EQ(extract_answer(Extractor::kStrict, hard.type, *answer), answer) << hard.text;
    }
  }
}

TEST(AnswersEqual, ComparesNumbersExactly) {
  const AnswerType number = AnswerType::kNumber;
  const std::pair<std::string, std::string> same[] = {
      {"5", "5.0"},
      {"1/2", "0.5"},
      {"1,000", "1000"},
      {"$18", "18"},
      {"50%", "50"},
      {"-7",
       "\u2212"
       "7"},
      {"2/6", "1/3"},
      {"1e3", "1000"},
      {"0", "-0.00"},
      {"1 1/2", "3/2"},
      {".5", "0.50"},
      {"18 dollars", "18"},
      {"007", "7"},
      {"\\frac{1}{4}", "0.25"},
      {std::string(400, '1') + ".0", std::string(400, '1')},
      {std::string(400, '2') + "/" + std::string(400, '1'), "2"},
      {"1/" + std::string(400, '3'), "3/" + std::string(400, '9')},
  };
  for (const auto& [a, b] : same) {
    EXPECT_TRUE(answers_equal(number, a, b)) << a << " " << b;
    EXPECT_TRUE(answers_equal(number, b, a)) << a << " " << b;
  }
  const std::pair<std::string, std::string> different[] = {
      {"5", "-5"},
      {"0.1", "0.10000000000000000000001"},
      {"1/3", "0.3333333333333333"},
      {"50%", "0.5"},
      {"1,2", "12"},
      {"", ""},
      {"five", "five"},
      {"9007199254740993", "9007199254740992"},
      {std::string(400, '1'), std::string(399, '1') + "2"},
      {"1/" + std::string(400, '3'), "3/" + std::string(399, '9') + "8"},
      {"-1/3", "1/3"},
  };
  for (const auto& [a, b] : different) EXPECT_FALSE(answers_equal(number, a, b)) << a << " " << b;
}

TEST(AnswersEqual, ComparesTheOtherTypes) {
  EXPECT_TRUE(answers_equal(AnswerType::kChoice, "B", "(b)"));
  EXPECT_TRUE(answers_equal(AnswerType::kChoice, "B", "B)600"));
  EXPECT_FALSE(answers_equal(AnswerType::kChoice, "B", "C"));
  EXPECT_FALSE(answers_equal(AnswerType::kChoice, "", ""));
  EXPECT_TRUE(answers_equal(AnswerType::kYesNo, "yes", "True"));
  EXPECT_FALSE(answers_equal(AnswerType::kYesNo, "yes", "no"));
  EXPECT_TRUE(answers_equal(AnswerType::kText, "New  York.", "new york"));
  EXPECT_FALSE(answers_equal(AnswerType::kText, "New York", "York"));
}

// A quadratic scan of the larger text would take 64 times as long as one of the smaller, a linear
// one 8 times.
TEST(AnswerExtraction, TakesLinearTimeOnHostileText) {
  const std::string pieces[] = {
      "\\boxed{",   "{",          "}",       "\\",       "\\frac{",   "\\frac{1}{", "####",
      "answer is ", "answer to ", "answer",  "answer ",  "1,22",      "1,222",      "9",
      "1 ",         "1/",         "1 /",     "$",        "-",         "$-",         "^",
      "2^",         "1e",         "1 * 10^", "(A",       "no ",       "yes",        "not ",
      "is ",        "B is ",      "\xFF",    "\xE2\x80", " ",         "\n",         "*",
      "=",          "_",          ".",       "option ",  "\\boxed{}", "\\sqrt{",    "\\sqrt[",
      "- ",         "minus ",     "-(",      "1 - ",     "A or ",     "A, ",        "\nQ: ",
      "\nQ: 1\n",   "1!",         "5 cm ",   "~1",       "\\,",       "\u221a",     "x = 1 or ",
  };
  for (const std::string& piece : pieces) {
    const auto seconds = [&](std::size_t bytes) {
      const std::string text = repeat(piece, bytes);
      double best = 1e9;
      for (int attempt = 0; attempt < 3; ++attempt) {
        const double begin = cpu_seconds();
        for (const AnswerType type : kTypes) {
          extract_answer(Extractor::kFlexible, type, text);  // Which begins with the strict one.
          extract_answer(Extractor::kReference, type, text);
        }
        best = std::min(best, cpu_seconds() - begin);
      }
      return best;
    };
    const double small = seconds(4'000);
    const double large = seconds(32'000);
    EXPECT_LT(large, 24 * small + 0.02) << "repeated: " << testing::PrintToString(piece);
  }
}

// Any bytes are legal: this one is for the sanitizers, and for the promise that nothing is thrown.
TEST(AnswerExtraction, SurvivesRandomSoup) {
  const std::string words[] = {
      "\\boxed{", "}",    "{",    "\\frac",   "12",           "-", "$",   ",",  ".",   "/",
      "answer",   " is ", "####", "\xC2\xBD", "\\",           "^", "yes", "no", "(B)", "\n",
      "1e",       "10^",  "*",    "\0"s,      "\xE2\x88\x92", "=", "a",   "_",  "%",   " "};
  std::uint64_t state = 7;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (int word = 0; word < 12; ++word) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += words[(state >> 33) % std::size(words)];
    }
    for (const Extractor extractor : kExtractors) {
      for (const AnswerType type : kTypes) {
        const auto answer = extract_answer(extractor, type, text);
        if (answer && type != AnswerType::kText) {
          EXPECT_TRUE(answers_equal(type, *answer, *answer)) << text << " gave " << *answer;
        }
      }
    }
  }
}

}  // namespace
}  // namespace softcot
