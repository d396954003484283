// Exact arithmetic, formulas and numbers in texts.
#include "data/formula.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/number_mentions.h"
#include "data/number_words.h"

namespace softcot {
namespace {

using testing::ElementsAre;

Rational number(std::string_view text) { return Rational::parse(text).value(); }

TEST(Rational, ReadsAndWritesDecimals) {
  EXPECT_EQ(number("3.50").text(), "3.5");
  EXPECT_EQ(number("0.05").text(), "0.05");
  EXPECT_EQ(number(".5"), Rational::of(1, 2));
  EXPECT_EQ(Rational::of(-7, 4)->text(), "-1.75");
  EXPECT_EQ(Rational::of(1, -3)->text(), "-1/3");
  EXPECT_EQ(number("12.00").places(), 0);
  EXPECT_EQ(Rational::of(1, 3)->places(), std::nullopt);
  for (const char* text : {"", ".", "1.2.3", "1,000", "-1", "x", "1234567890123456789"}) {
    EXPECT_FALSE(Rational::parse(text)) << text;
  }
}

TEST(Rational, RefusesWhatDoesNotFit) {
  const Rational large(std::int64_t{1} << 62);
  EXPECT_FALSE(add(large, large));
  EXPECT_FALSE(multiply(large, Rational(3)));
  EXPECT_FALSE(divide(Rational(1), Rational(0)));
  EXPECT_EQ(subtract(large, large), Rational(0));
  EXPECT_EQ(power(number("2.25"), *Rational::of(1, 2)), number("1.5"));
  EXPECT_FALSE(power(Rational(2), *Rational::of(1, 2)));
  EXPECT_LT(*Rational::of(1, 3), number("0.34"));
}

struct Case {
  const char* formula;
  const char* result;  // Empty: refused.
  DivisionPart part = DivisionPart::kExact;
};

TEST(Formula, GivesExactResults) {
  for (const Case& test : std::vector<Case>{{"7+2", "9"},
                                            {"(45-39)/2", "3"},
                                            {"2+3*4-6/2", "11"},
                                            {"10-3-2", "5"},
                                            {"24/4/2", "3"},
                                            {"1/3*3", "1"},
                                            {"0.1+0.2", "0.3"},
                                            {"(400^(1/2)/2)*(400^(1/2)/2)*3.14", "314"},
                                            {"2^3", "8"},
                                            {"LCM[28,24]", "168"},
                                            {"GCD(14, 12, 8)", "2"},
                                            {"[2+3]*2", "10"},
                                            {"42", "42"},
                                            {"64/7", "9", DivisionPart::kQuotient},
                                            {"64/7", "1", DivisionPart::kRest},
                                            {"64/7", "10", DivisionPart::kQuotientAndOne},
                                            {"63/7", "", DivisionPart::kRest},
                                            {"5/7", "", DivisionPart::kQuotient},
                                            {"64-7", "", DivisionPart::kRest},
                                            {"5/(3-3)", ""},
                                            {"2^(1/2)", ""},
                                            {"LCM[2.5,5]", ""},
                                            {"", ""},
                                            {"7+", ""},
                                            {"(7", ""},
                                            {"7)", ""},
                                            {"x+1", ""},
                                            {"-3+5", ""},
                                            {"3:4", ""},
                                            {"11 (day) * 24", ""}}) {
    const auto formula = Formula::parse(test.formula, test.part);
    const auto results = formula ? formula->results(formula->numbers()) : std::nullopt;
    EXPECT_EQ(results ? results->back().text() : "", test.result) << test.formula;
  }
}

TEST(Formula, NestingIsBounded) {
  EXPECT_TRUE(Formula::parse(std::string(40, '(') + "1" + std::string(40, ')')));
  EXPECT_FALSE(Formula::parse(std::string(100000, '(') + "1" + std::string(100000, ')')));
}

TEST(Formula, WorksStepByStep) {
  const auto steps = [](const char* text, DivisionPart part = DivisionPart::kExact) {
    const auto formula = Formula::parse(text, part);
    return formula->steps(formula->numbers()).value();
  };
  EXPECT_THAT(steps("(45-39)/2"), ElementsAre("45 - 39 = 6", "6 / 2 = 3"));
  EXPECT_THAT(steps("36^(1/2)*4"), ElementsAre("square root of 36 = 6", "6 * 4 = 24"));
  EXPECT_THAT(steps("10/3*6"), ElementsAre("10 / 3 * 6 = 20"));
  EXPECT_THAT(steps("6*(5-(3-1))"), ElementsAre("3 - 1 = 2", "5 - 2 = 3", "6 * 3 = 18"));
  EXPECT_THAT(steps("GCD(12,8)"), ElementsAre("greatest common divisor of 12 and 8 = 4"));
  EXPECT_THAT(steps("64/7", DivisionPart::kQuotientAndOne),
              ElementsAre("64 / 7 = 9 remainder 1", "9 + 1 = 10"));
}

TEST(Formula, IsWrittenAsItIsRead) {
  for (const char* text : {"6 * (5 - (3 - 1))", "10 - 3 - 2", "24 / (4 / 2)", "(2 + 3) * 4",
                           "LCM(LCM(2, 3), 4)", "400^(1 / 2)"}) {
    const auto formula = Formula::parse(text);
    ASSERT_TRUE(formula) << text;
    const auto again = Formula::parse(formula->text(formula->numbers()));
    ASSERT_TRUE(again) << formula->text(formula->numbers());
    EXPECT_EQ(again->results(again->numbers()), formula->results(formula->numbers())) << text;
  }
  const std::vector<Rational> others = {Rational(50), Rational(44), Rational(3)};
  EXPECT_EQ(Formula::parse("(45-39)/2")->text(others), "(50 - 44) / 3");
  EXPECT_EQ(Formula::parse("(45-39)/2")->results(others)->back(), Rational(2));
}

TEST(NumberWords, AreReadAndWritten) {
  for (std::int64_t value = 0; value < 3000; ++value) {
    const std::string words = number_words(value);
    const auto read = read_number_words(words, 0);
    ASSERT_TRUE(read) << words;
    EXPECT_EQ(read->value, value) << words;
    EXPECT_EQ(read->size, words.size()) << words;
  }
  EXPECT_EQ(number_words(554), "five hundred fifty-four");
  EXPECT_EQ(number_words(12005), "twelve thousand five");
  EXPECT_EQ(read_number_words("One hundred and two cats", 0)->value, 102);
  EXPECT_EQ(read_number_words("one and two", 0)->value, 1);
  EXPECT_EQ(read_number_words("five, six", 0)->value, 5);
  EXPECT_EQ(read_number_words("two three", 0)->value, 2);
  EXPECT_FALSE(read_number_words("hundred", 0));
  EXPECT_FALSE(read_number_words("often", 0));
}

/// Each number as text, in round brackets where it is fixed.
std::vector<std::string> numbers_of(std::string_view text) {
  std::vector<std::string> found;
  for (const NumberMention& mention : find_numbers(text)) {
    const std::string value = mention.value.text();
    found.push_back(mention.fixed ? "(" + value + ")" : value);
  }
  return found;
}

TEST(NumberMentions, AreFoundWithWhatTiesThem) {
  EXPECT_THAT(numbers_of("Seven apples, 3,730 cm and $13.30; forty-five more."),
              ElementsAre("7", "3730", "13.3", "45"));
  EXPECT_THAT(numbers_of("an 85-cm ribbon for 30 seconds, 12, 13 and 14"),
              ElementsAre("85", "30", "12", "13", "14"));
  EXPECT_THAT(numbers_of("the 5th of 20 at 3:45, 7 a.m., 8 o'clock"),
              ElementsAre("(5)", "20", "(3)", "(45)", "(7)", "(8)"));
  EXPECT_THAT(numbers_of("3/4 of it, 2 1/2 cups, 25% and 10 percent"),
              ElementsAre("(3)", "(4)", "(2)", "(1)", "(2)", "(25)", "(10)"));
  EXPECT_THAT(
      numbers_of("In 1999 a 2-digit number; $1999; two-thirds; three fourths; twenty-first"),
      ElementsAre("(1999)", "(2)", "1999", "(2)", "(3)", "(20)"));
  EXPECT_THAT(numbers_of("ratio 3:4, scores 5-7, March 5, grade 6, 3 hundred"),
              ElementsAre("(3)", "(4)", "(5)", "(7)", "(5)", "(6)", "(3)"));
  EXPECT_THAT(numbers_of("someone often weighs a ton"), ElementsAre());
}

std::string changed(std::string_view text, const std::vector<Rational>& values) {
  std::vector<NumberChange> changes;
  const auto mentions = find_numbers(text);
  for (std::size_t i = 0; i < values.size(); ++i) changes.push_back({mentions.at(i), values[i]});
  return replace_numbers(text, changes);
}

TEST(NumberMentions, AreReplacedInTheirOwnLook) {
  EXPECT_EQ(changed("Seven apples and forty-five pears.", {Rational(12), Rational(8)}),
            "Twelve apples and eight pears.");
  EXPECT_EQ(changed("$13.30 for 3,730 cm of 900", {number("8.5"), Rational(12345), Rational(1200)}),
            "$8.50 for 12,345 cm of 1200");
  EXPECT_EQ(changed("A 5-cm nail", {Rational(8)}), "An 8-cm nail");
  EXPECT_EQ(changed("an 85-cm ribbon", {Rational(70)}), "a 70-cm ribbon");
  EXPECT_EQ(changed("a 20-foot rope and an eleven-foot one", {Rational(18), Rational(12)}),
            "an 18-foot rope and a twelve-foot one");
  EXPECT_EQ(changed("a 100 and 115", {Rational(110), Rational(80)}), "a 110 and 80");
}

}  // namespace
}  // namespace softcot
