// Readers of the published benchmarks: on files in their format and on the shipped ones.
#include "data/benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const std::filesystem::path kSamples = SOFTCOT_TEST_DATA;
const std::filesystem::path kShipped = SOFTCOT_BENCHMARK_FOLDER;

std::string refusal(const std::string& task, const std::filesystem::path& file) {
  try {
    read_benchmark(task, file);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}

class BadFile : public testing::Test {
 protected:
  /// What is said of a sample in which `from` is replaced by `to`.
  std::string refused(const std::string& task, const std::string& sample, const std::string& from,
                      const std::string& to) {
    std::ifstream stream(kSamples / sample);
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return refusal(task, test::write_text(folder_.path() / sample, text));
  }
  test::TemporaryFolder folder_;
};

TEST(Aqua, LettersLeaveTheChoices) {
  const auto records = read_benchmark("aqua", kSamples / "aqua.json");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id, "aqua:1");
  EXPECT_THAT(records[0].choices, ElementsAre("15", "18", "20", "24", "36"));
  EXPECT_EQ(records[0].answer, "C");
  EXPECT_EQ(records[0].type, AnswerType::kChoice);
  EXPECT_EQ(records[0].rationale_steps.size(), 3u);
  EXPECT_THAT(records[1].choices, ElementsAre("4", "7", "9", "15", "None of these"));
}

TEST(Aqua, IdsOfAFileWhoseNameIsNoUtf8AreUtf8) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "caf\xE9.json";
  std::filesystem::copy_file(kSamples / "aqua.json", file);
  EXPECT_EQ(read_benchmark("aqua", file).at(1).id, "caf\uFFFD:2");
}

TEST(StrategyQa, FactsAreTheRationale) {
  const auto records = read_benchmark("strategyqa", kSamples / "strategyqa.json");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id, "a1b2");
  EXPECT_EQ(records[0].answer, "Yes");
  EXPECT_EQ(records[0].type, AnswerType::kYesNo);
  EXPECT_EQ(records[0].rationale_steps.size(), 3u);
  EXPECT_EQ(records[1].answer, "No");
}

TEST(DateUnderstanding, ChoicesDoNotBeginWithTheAnswer) {
  const auto records = read_benchmark("date_understanding", kSamples / "date_understanding.json");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_THAT(records[0].choices,
              UnorderedElementsAre("02/27/2019", "02/28/2018", "02/28/2019", "03/02/2019"));
  ASSERT_EQ(records[0].answer.size(), 1u);
  EXPECT_EQ(records[0].choices.at(static_cast<std::size_t>(records[0].answer[0] - 'A')),
            "02/28/2019");
  EXPECT_TRUE(records[0].rationale_steps.empty());
}

TEST(DateUnderstanding, ThePublishedOrderOfBigBenchHardIsKept) {
  const auto records =
      read_benchmark("date_understanding", kSamples / "date_understanding_bbh.json");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].question,
            "Tomorrow is March 1, 2019. What is the date today in MM/DD/YYYY?");
  EXPECT_THAT(records[0].choices, ElementsAre("03/02/2019", "02/28/2019", "02/27/2019"));
  EXPECT_EQ(records[0].answer, "B");
  EXPECT_EQ(records[0].type, AnswerType::kChoice);
  EXPECT_EQ(records[1].answer, "A");
}

TEST(Svamp, EquationIsWorkedOut) {
  const auto records = read_benchmark("svamp", kSamples / "svamp.json");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].id, "own-1");
  EXPECT_EQ(records[0].question,
            "A shelf holds 14 books. Mia puts 5 more on it and takes 3 away. How many books are on "
            "the shelf now?");
  EXPECT_THAT(records[0].rationale_steps, ElementsAre("14 + 5 = 19", "19 - 3 = 16"));
  EXPECT_EQ(records[0].answer, "16");
}

TEST(MultiArith, EquationIsWorkedOut) {
  const auto records = read_benchmark("multiarith", kSamples / "multiarith.json");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].id, "0");
  EXPECT_THAT(records[0].rationale_steps, ElementsAre("18 + 7 = 25", "25 / 5 = 5"));
  EXPECT_EQ(records[0].answer, "5");
}

TEST(Asdiv, NumbersLoseTheirUnitAndOtherAnswersAreTexts) {
  const auto records = read_benchmark("asdiv", kSamples / "asdiv.xml");
  ASSERT_EQ(records.size(), 10u);
  EXPECT_EQ(records[0].id, "own-0001");
  EXPECT_EQ(records[0].question,
            "Seven green pears and four red pears are in a box. How many pears are in the box?");
  EXPECT_EQ(records[0].answer, "11");
  EXPECT_EQ(records[0].type, AnswerType::kNumber);
  EXPECT_THAT(records[2].rationale_steps, ElementsAre("1250 / 27 = 46 remainder 8", "46 + 1 = 47"));
  EXPECT_EQ(records[3].answer, "16.5");
  EXPECT_EQ(records[8].answer, "Eve");
  EXPECT_EQ(records[8].type, AnswerType::kText);
  EXPECT_EQ(records[9].answer, "22; 18");
  EXPECT_THAT(records[9].rationale_steps, ElementsAre("x:One; y:The other; x+y=40; x-y=4"));
}

TEST_F(BadFile, IsRefusedByLineOrRecord) {
  EXPECT_THAT(refused("aqua", "aqua.json", R"("correct": "C")", R"("correct": "F")"),
              AllOf(HasSubstr("aqua.json:1"), HasSubstr("5 choices"), HasSubstr("F")));
  EXPECT_THAT(refused("aqua", "aqua.json",
                      R"("options": ["A)4", "B)7 ", "C)9", "D)15", "E)None)"
                      R"( of these"])",
                      R"("options": ["A)7"])"),
              AllOf(HasSubstr("aqua.json:2"), HasSubstr("2 to 26")));
  EXPECT_THAT(refused("strategyqa", "strategyqa.json", "c3d4", "a1b2"),
              AllOf(HasSubstr("record 2"), HasSubstr("one id"), HasSubstr("record 1")));
  EXPECT_THAT(refused("strategyqa", "strategyqa.json", "true", "\"yes\""),
              AllOf(HasSubstr("record 1"), HasSubstr("true or false")));
  EXPECT_THAT(refused("date_understanding", "date_understanding.json", ": 1", ": 0"),
              AllOf(HasSubstr("record 1"), HasSubstr("right choices")));
  EXPECT_THAT(refused("date_understanding", "date_understanding.json", ": 1", ": 0.5"),
              HasSubstr("0 or 1"));
  const auto lettered = [&](const std::string& from, const std::string& to) {
    return refused("date_understanding", "date_understanding_bbh.json", from, to);
  };
  EXPECT_THAT(lettered("(B) 02", "(C) 02"), AllOf(HasSubstr("record 1"), HasSubstr("(B)")));
  EXPECT_THAT(lettered("Options:", "Choices:"), HasSubstr("Options:"));
  EXPECT_THAT(lettered("\"(B)\"", "\"B\""), HasSubstr("(A)"));
  EXPECT_THAT(lettered("\"(B)\"", "\"(G)\""), HasSubstr("3 choices"));
  EXPECT_THAT(lettered("target", "goal"), HasSubstr("target_scores"));
  EXPECT_THAT(refused("svamp", "svamp.json", "16.0", "\"16\""), HasSubstr("record 1"));
  EXPECT_THAT(refused("svamp", "svamp.json", "]", ", 7]"),
              AllOf(HasSubstr("record 2"), HasSubstr("not a JSON object")));
  EXPECT_THAT(refused("multiarith", "multiarith.json", "[5.0]", "[]"), HasSubstr("lSolutions"));
  EXPECT_THAT(refused("asdiv", "asdiv.xml", "</Body>", "<Body>"), HasSubstr("asdiv.xml:"));
  EXPECT_THAT(refused("asdiv", "asdiv.xml", "own-0002", "own-0001"),
              AllOf(HasSubstr("asdiv.xml:12"), HasSubstr("asdiv.xml:5"), HasSubstr("one id")));
  EXPECT_THAT(refused("asdiv", "asdiv.xml", "<Formula>7+4=11</Formula>", ""),
              AllOf(HasSubstr("asdiv.xml:5"), HasSubstr("<Formula>")));
  EXPECT_THAT(refused("jsonl", "jsonl.jsonl", R"("answer": "B")", R"("answer": "pear")"),
              AllOf(HasSubstr("jsonl.jsonl:2"), HasSubstr("2 choices")));
  EXPECT_THAT(refused("jsonl", "jsonl.jsonl", R"("answer": "Yes")", R"("answer": "maybe")"),
              AllOf(HasSubstr("jsonl.jsonl:3"), HasSubstr("yes or no")));
  EXPECT_THAT(refused("jsonl", "jsonl.jsonl", "15,", "\"many\","), HasSubstr("a number"));
}

// What is read of the answer must be the answer: whatever a validator lets through and the
// extractor cannot read would make every text wrong.
TEST_F(BadFile, AnAnswerThatNothingCanMatchIsRefused) {
  for (const std::string answer : {"1 000",
                                   "1 000 000",
                                   "2:30",
                                   "5:30",
                                   "5-3",
                                   "10^3",
                                   "10^{3}",
                                   "2**3",
                                   "between 3 and 7",
                                   "3 or 4",
                                   "3 to 5",
                                   "0x10",
                                   "1,00",
                                   "1,2345",
                                   "1.234.567",
                                   "1'000",
                                   "None",
                                   "two",
                                   "half",
                                   "3 apples and 4 pears",
                                   "5 out of 10",
                                   "x + 3",
                                   "5x",
                                   "5!",
                                   "sqrt(2)",
                                   "\u00b13",
                                   "\u221a2",
                                   "1/0",
                                   "05/06/2021",
                                   "May 5",
                                   "--3",
                                   "3 quarters",
                                   "not 5",
                                   "\\\\sqrt{2}",
                                   "}3{"}) {
    SCOPED_TRACE(answer);
    EXPECT_THAT(
        refused("jsonl", "jsonl.jsonl", "15,", "\"" + answer + "\","),
        AllOf(HasSubstr("jsonl.jsonl:1"), HasSubstr("no answer can match"), HasSubstr("a number")));
    EXPECT_THAT(refused("gsm8k", "gsm8k.jsonl", "#### 10", "#### " + answer),
                AllOf(HasSubstr("gsm8k.jsonl:1"), HasSubstr("no answer can match")));
  }
  EXPECT_THAT(refused("svamp", "svamp.json", "16.0", "1e2000"), HasSubstr("svamp.json"));
  EXPECT_THAT(
      refused("jsonl", "jsonl.jsonl", R"("type": "number")", R"("type": "text", "answer": "{")"),
      HasSubstr("no answer can match"));
}

TEST_F(BadFile, AnAnswerInAnyWritingOfOneNumberIsAccepted) {
  for (const std::string answer :
       {"1000",       "1,000",  "12,34,567", "-3",      "- 3", "\u22123",     "+3",
        "0.50",       ".5",     "3/4",       "1 1/2",   "$18", "$1,234.50",   "50%",
        "18 dollars", "3 km",   "5 km/h",    "25 cm^2", "1e3", "2.5 million", "\\\\frac{1}{2}",
        "1{,}000",    "\u20ac5"}) {
    EXPECT_EQ(refused("jsonl", "jsonl.jsonl", "15,", "\"" + answer + "\","), "accepted") << answer;
  }
}

TEST(OtherFormat, IsRefusedForEveryPairOfBenchmarks) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"aqua", "aqua.json"},
      {"strategyqa", "strategyqa.json"},
      {"svamp", "svamp.json"},
      {"date_understanding", "date_understanding.json"},
      {"date_understanding", "date_understanding_bbh.json"},
      {"asdiv", "asdiv.xml"},
      {"multiarith", "multiarith.json"},
      {"gsm8k", "gsm8k.jsonl"},
      {"jsonl", "jsonl.jsonl"}};
  for (const auto& [task, own] : files) {
    for (const auto& [other, file] : files) {
      if (task == other) {
        EXPECT_NO_THROW(read_benchmark(task, kSamples / file)) << task;
        continue;
      }
      const std::string said = refusal(task, kSamples / file);
      EXPECT_THAT(said, AllOf(HasSubstr(file), HasSubstr("data.task"))) << task << " " << file;
    }
  }
}

TEST(ShippedBenchmarks, AreWhole) {
  struct Shipped {
    const char* task;
    const char* file;
    std::size_t records;
    const char* first_answer;
  };
  for (const Shipped& shipped :
       std::vector<Shipped>{{"aqua", "aqua/dev.json", 254, "A"},
                            {"aqua", "aqua/test.json", 254, "A"},
                            {"strategyqa", "strategyqa/train.json", 2061, "Yes"},
                            {"strategyqa", "strategyqa/dev.json", 229, "No"},
                            {"date_understanding", "date_understanding/task.json", 369, "A"},
                            {"date_understanding", "bbh/date_understanding.json", 250, "B"},
                            {"svamp", "svamp/SVAMP.json", 1000, "51"}}) {
    const auto records = read_benchmark(shipped.task, kShipped / shipped.file);
    EXPECT_EQ(records.size(), shipped.records) << shipped.file;
    EXPECT_EQ(records.front().answer, shipped.first_answer) << shipped.file;
  }
}

// Always one letter is right about as often as chance, one in five or six.
TEST(ShippedBenchmarks, DatesAreNotToldByTheirLetter) {
  for (const char* file : {"date_understanding/task.json", "bbh/date_understanding.json"}) {
    std::map<std::string, std::size_t> letters;
    const auto records = read_benchmark("date_understanding", kShipped / file);
    for (const auto& record : records) ++letters[record.answer];
    for (const auto& [letter, count] : letters) {
      EXPECT_LT(count, records.size() / 4) << file << " " << letter;
    }
  }
}

}  // namespace
}  // namespace softcot
