#include "data/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/benchmark.h"
#include "data/benchmark_lines.h"
#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RecordTest : public testing::Test {
 protected:
  std::vector<Record> read(const std::string& task, const std::string& text,
                           RecordRange range = {}) {
    return read_benchmark(task, test::write_text(folder_.path() / "train.jsonl", text), range);
  }
  std::string refusal(const std::string& task, const std::string& text, RecordRange range = {},
                      ExitCode code = ExitCode::kInput) {
    try {
      read(task, text, range);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "accepted";
  }
  test::TemporaryFolder folder_;
};

const std::string kGsm =
    R"({"question": "How many? ", "answer": "First 2*3=<<2*3=6>>6.\nThen <<6+1=7>>7, #### no.\n#### 1,007"})";
const std::string kOwn =
    R"({"id": "q1", "question": "Is it?", "rationale": ["a", " ", "b"], "answer": "yes", "type": "yes_no"})";

TEST_F(RecordTest, Gsm8kStepsLoseCalculatorNotes) {
  const auto records = read("gsm8k", kGsm + "\n");
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].id, "train:1");
  EXPECT_EQ(records[0].question, "How many?");
  EXPECT_THAT(records[0].rationale_steps, ElementsAre("First 2*3=6.", "Then 7, #### no."));
  EXPECT_EQ(records[0].answer, "1007");
  EXPECT_EQ(records[0].type, AnswerType::kNumber);
}

TEST_F(RecordTest, ByteOrderMarkCarriageReturnsAndBlankLinesAreAccepted) {
  const auto records = read("gsm8k", "\xEF\xBB\xBF" + kGsm + "\r\n\r\n" + kGsm + "\r\n");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].id, "train:3");
  EXPECT_EQ(records[1].answer, "1007");
}

TEST_F(RecordTest, OwnLines) {
  const std::string choice =
      R"({"question": "Which?", "rationale": "one\n\ntwo", "answer": "B", "type": "choice", "choices": ["x", "y"]})";
  const std::string number =
      R"({"question": "N?", "rationale": "", "answer": -2.5, "type": "number"})";
  const auto records = read("jsonl", kOwn + "\n" + choice + "\n" + number);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].id, "q1");
  EXPECT_THAT(records[0].rationale_steps, ElementsAre("a", "b"));
  EXPECT_EQ(records[1].id, "train:2");
  EXPECT_THAT(records[1].rationale_steps, ElementsAre("one", "two"));
  EXPECT_THAT(records[1].choices, ElementsAre("x", "y"));
  EXPECT_TRUE(records[2].rationale_steps.empty());
  EXPECT_EQ(records[2].answer, "-2.5");
}

TEST_F(RecordTest, RangeKeepsIds) {
  const std::string text = kGsm + "\n" + kGsm + "\n" + kGsm + "\n" + kGsm + "\n";
  const auto records = read("gsm8k", text, {.offset = 1, .limit = 2});
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id, "train:2");
  EXPECT_EQ(records[1].id, "train:3");
  EXPECT_EQ(read("gsm8k", text, {.offset = 3, .limit = 9}).size(), 1u);
  EXPECT_THAT(refusal("gsm8k", text, {.offset = 4}), HasSubstr("an offset below 4"));
}

TEST_F(RecordTest, RefusesBadLinesByNumber) {
  EXPECT_THAT(refusal("gsm8k", ""), HasSubstr("without a record"));
  EXPECT_THAT(refusal("gsm8k", "\n \r\n"), HasSubstr("without a record"));
  EXPECT_THAT(refusal("gsm8k", kGsm + "\n{\"question\": \n"), HasSubstr("train.jsonl:2"));
  EXPECT_THAT(refusal("gsm8k", kGsm + "\n[1]\n"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("gsm8k", kGsm + "\n" + R"({"question": "x"})"),
              testing::AllOf(HasSubstr("train.jsonl:2"), HasSubstr("answer")));
  EXPECT_THAT(refusal("gsm8k", R"({"question": 3, "answer": "#### 1"})"), HasSubstr("question"));
  EXPECT_THAT(refusal("gsm8k", R"({"question": "x", "answer": "no mark"})"), HasSubstr("####"));
  EXPECT_THAT(refusal("gsm8k", R"({"question": "x", "answer": "#### "})"),
              HasSubstr("without an answer"));
  EXPECT_THAT(refusal("gsm8k", R"({"question": " ", "answer": "#### 1"})"),
              HasSubstr("without a question"));
  EXPECT_THAT(refusal("gsm8k", R"({"question": "x", "answer": "a <<1+1 \n#### 1"})"),
              HasSubstr("calculator"));
  EXPECT_THAT(refusal("gsm8k", kGsm + "\n{\"question\": \"\xFF\", \"answer\": \"#### 1\"}"),
              testing::AllOf(HasSubstr("train.jsonl:2"), HasSubstr("UTF-8")));
  EXPECT_THAT(refusal("gsm8k", std::string(kMaxDatasetLine + 1, ' ')), HasSubstr("too long"));
  EXPECT_THAT(refusal("jsonl", kOwn + "\n" + kOwn),
              testing::AllOf(HasSubstr("train.jsonl:2"), HasSubstr("train.jsonl:1")));
  EXPECT_THAT(refusal("jsonl", R"({"question":"x","rationale":"","answer":"1","type":"float"})"),
              HasSubstr("float"));
  EXPECT_THAT(refusal("jsonl", R"({"question":"x","rationale":[1],"answer":"1","type":"text"})"),
              HasSubstr("rationale"));
  EXPECT_THAT(
      refusal(
          "jsonl",
          R"({"question":"x","rationale":"","answer":"C","type":"choice","choices":["a","b"]})"),
      HasSubstr("2 choices"));
}

TEST_F(RecordTest, UnknownTaskListsTheKnownOnes) {
  EXPECT_THAT(refusal("gsm9k", kGsm, {}, ExitCode::kUsage),
              testing::AllOf(HasSubstr("gsm8k, asdiv"), HasSubstr("gsm9k")));
}

TEST_F(RecordTest, MissingFileIsNamed) {
  try {
    read_benchmark("gsm8k", folder_.path() / "nowhere.jsonl");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("nowhere.jsonl"));
  }
}

TEST(Gsm8k, ShippedFilesAreWhole) {
  const std::filesystem::path folder = SOFTCOT_BENCHMARK_FOLDER;
  const auto train = read_benchmark("gsm8k", folder / "gsm8k/train.jsonl");
  const auto test = read_benchmark("gsm8k", folder / "gsm8k/test.jsonl");
  EXPECT_EQ(train.size(), 7473u);
  ASSERT_EQ(test.size(), 1319u);
  EXPECT_EQ(test[0].answer, "18");
  EXPECT_EQ(test[0].rationale_steps.size(), 2u);
  for (const auto* split : {&train, &test}) {
    for (const Record& record : *split) {
      EXPECT_FALSE(record.rationale_steps.empty()) << record.id;
      EXPECT_EQ(record.answer.find_first_not_of("-0123456789."), std::string::npos) << record.id;
      for (const auto& step : record.rationale_steps) {
        EXPECT_EQ(step.find("<<"), std::string::npos) << record.id;
      }
    }
  }
}

}  // namespace
}  // namespace softcot
