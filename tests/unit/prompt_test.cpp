#include "data/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kFile =
    "; a comment\n[backbone.user]\nSolve: {question}\n\n{thoughts}\nGo.\n\n"
    "[backbone.hint]\nNotes:\n[assistant.user]\nMake {n} for: {question}\n"
    "[assistant.reply]\nHere are {n}:\n[assistant.user.uncounted]\nMake for: {question}\n"
    "[assistant.reply.uncounted]\nHere:\n[target.step]\n## Step {i}: {step}\n"
    "[target.final]\nAnswer $\\boxed{{answer}}$.\n";
const Record kRecord{.id = "r",
                     .question = "{n} of {thoughts}?",
                     .rationale_steps = {"one", "{i}"},
                     .answer = "7",
                     .type = AnswerType::kNumber,
                     .choices = {}};

class PromptTest : public testing::Test {
 protected:
  PromptTemplate load(const std::string& text, ThoughtPrompt kind = ThoughtPrompt::kCounted) {
    return PromptTemplate::load(test::write_text(folder_.path() / "p.txt", text), kind);
  }
  // What is said about the file with `from` replaced by `to`.
  std::string refusal(const std::string& from, const std::string& to,
                      ThoughtPrompt kind = ThoughtPrompt::kCounted) {
    std::string text = kFile;
    text.replace(text.find(from), from.size(), to);
    try {
      load(text, kind);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    return "accepted";
  }
  test::TemporaryFolder folder_;
};

TEST_F(PromptTest, FillsWordsOnceAndLeavesOtherBraces) {
  const PromptTemplate prompt = load(kFile);
  const SplitText user = prompt.backbone_user(kRecord, true);
  EXPECT_EQ(user.before, "Solve: {n} of {thoughts}?\n\nNotes:");
  EXPECT_EQ(user.after, "\nGo.");
  EXPECT_EQ(prompt.assistant_user(kRecord, 4), "Make 4 for: {n} of {thoughts}?");
  EXPECT_EQ(prompt.assistant_reply(4), "Here are 4:");
  EXPECT_EQ(prompt.target(kRecord), "## Step 1: one\n## Step 2: {i}\nAnswer $\\boxed{7}$.");
}

TEST_F(PromptTest, WithoutThoughtsThereIsNoHint) {
  const SplitText user = load(kFile).backbone_user(kRecord, false);
  EXPECT_EQ(user.before + user.after, "Solve: {n} of {thoughts}?\nGo.");
}

TEST_F(PromptTest, UncountedTextsDoNotDependOnN) {
  const PromptTemplate prompt = load(kFile, ThoughtPrompt::kUncounted);
  EXPECT_EQ(prompt.assistant_user(kRecord, 4), prompt.assistant_user(kRecord, 32));
  EXPECT_EQ(prompt.assistant_reply(4), "Here:");
}

TEST_F(PromptTest, ChoicesFollowTheQuestion) {
  Record record = kRecord;
  record.choices = {"red", "blue"};
  EXPECT_THAT(load(kFile).assistant_user(record, 1), HasSubstr("?\nChoices: (A) red (B) blue"));
}

TEST_F(PromptTest, HashesFollowTheTextsTheyAreFor) {
  const PromptTemplate first = load(kFile);
  std::string text = kFile;
  text.replace(text.find("Go."), 3, "Run");
  const PromptTemplate second = load("; other comment\n" + text);
  EXPECT_EQ(second.assistant_hash(), first.assistant_hash());
  EXPECT_NE(second.content_hash(), first.content_hash());
  EXPECT_NE(load(kFile, ThoughtPrompt::kUncounted).assistant_hash(), first.assistant_hash());
  EXPECT_EQ(load("; comment\r\n" + kFile).content_hash(), first.content_hash());
}

TEST_F(PromptTest, RefusesWrongFilesInClearWords) {
  EXPECT_THAT(refusal("[target.step]", "[target.steps]"), HasSubstr("target.steps"));
  EXPECT_THAT(refusal("[target.step]\n", "[target.final]\n"), HasSubstr("section twice"));
  EXPECT_THAT(refusal("[target.final]\nAnswer", "[target.final]\n; "), HasSubstr("target.final"));
  EXPECT_THAT(refusal("; a comment", "stray"), HasSubstr("p.txt:1"));
  EXPECT_THAT(refusal("Solve: {question}", "Solve: {qeustion}"), HasSubstr("{question} once"));
  EXPECT_THAT(refusal("Go.", "{thoughts}"), HasSubstr("2 times"));
  EXPECT_THAT(refusal("Here are {n}", "Here are {m}"), HasSubstr("{m}"));
  EXPECT_THAT(refusal("Here:", "Here are {n}:", ThoughtPrompt::kUncounted), HasSubstr("{n}"));
  EXPECT_THAT(refusal("Notes:", "{n} notes:"),
              testing::AllOf(HasSubstr("[backbone.hint]"), HasSubstr("docs/prompts.md")));
  EXPECT_THAT(refusal("Go.", "\xFF"), HasSubstr("UTF-8"));
  try {
    PromptTemplate::load(folder_.path() / "nowhere.txt", ThoughtPrompt::kCounted);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
}

TEST(ShippedPrompts, AreWhole) {
  const std::filesystem::path file = std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / "math.txt";
  const auto counted = PromptTemplate::load(file, ThoughtPrompt::kCounted);
  const auto uncounted = PromptTemplate::load(file, ThoughtPrompt::kUncounted);
  EXPECT_THAT(counted.assistant_user(kRecord, 32), HasSubstr("32"));
  EXPECT_THAT(uncounted.assistant_user(kRecord, 32), Not(HasSubstr("32")));
  EXPECT_EQ(counted.target(kRecord),
            "## Step 1: one\n## Step 2: {i}\nTherefore, the final answer is: $\\boxed{7}$.");
  const SplitText plain = counted.backbone_user(kRecord, false);
  EXPECT_EQ(plain.after, "");
  EXPECT_THAT(plain.before, testing::EndsWith("Problem: {n} of {thoughts}?"));
}

}  // namespace
}  // namespace softcot
