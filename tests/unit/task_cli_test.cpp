// Tasks from the command line: softcot augment, softcot preview, and the user's own questions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "runtime/atomic_file.h"
#include "support/job.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Words = std::vector<std::string>;

const std::filesystem::path kSamples = SOFTCOT_TEST_DATA;

class TaskCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { project_ = std::make_unique<TinyProject>(); }
  static void TearDownTestSuite() { project_.reset(); }

  static Words with_task(const std::string& task, const std::string& file, const Words& more = {}) {
    Words all = {"--task", task, "--data.file", kSamples / file, "--data.eval-file", ""};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static ChildResult preview(const Words& options) {
    return run_softcot(project_->call("preview", options));
  }
  static inline std::unique_ptr<TinyProject> project_;
};

TEST_F(TaskCli, PreviewMarksThoughtsSpecialAndTrainedTokens) {
  const ChildResult result =
      preview(with_task("gsm8k", "gsm8k.jsonl", {"--rows", "3", "--thoughts", "5"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("gsm8k, 1 question for training"));
  EXPECT_THAT(result.out, HasSubstr("1 of 1: gsm8k:1, answer 10 (number)"));
  EXPECT_THAT(result.out, HasSubstr("Here are notes:⟦<issue_start>⟧⟦<|endoftext|> "
                                    "×5⟧⟦<issue_closed>⟧⟦<|im_end|>⟧"));
  EXPECT_THAT(result.out, HasSubstr("⟦<|im_start|>⟧assistant\n«1. The pens cost 3*2=$6.\n"));
  EXPECT_THAT(result.out, HasSubstr("Answer: 10.⟦<|im_end|>⟧»\n--- assistant: "));
  EXPECT_THAT(result.out, HasSubstr("The 5 notes:⟦<|endoftext|> ×5⟧\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
}

TEST_F(TaskCli, PreviewColoursWhenAsked) {
  const ChildResult result =
      preview(with_task("gsm8k", "gsm8k.jsonl", {"--color", "always", "--thoughts", "5"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\x1b[1;35m<|endoftext|> ×5\x1b[0m"));
  EXPECT_THAT(result.out, HasSubstr("\x1b[32m1. The pens cost"));
  EXPECT_THAT(result.out, Not(HasSubstr("⟦")));
}

TEST_F(TaskCli, PreviewShowsHeldOutQuestionsOfACut) {
  const Words cut = with_task("jsonl", "jsonl.jsonl", {"--data.train-share", "0.75"});
  const auto rows = [&](const Words& more) {
    Words all = cut;
    all.insert(all.end(), more.begin(), more.end());
    return preview(all).out;
  };
  EXPECT_THAT(rows({"--rows", "9"}), AllOf(HasSubstr("3 questions"), HasSubstr("3 of 3: y")));
  EXPECT_THAT(rows({"--eval"}), AllOf(HasSubstr("1 question for"), HasSubstr("1 of 1: t, ")));
  EXPECT_THAT(rows({"--data.offset", "1", "--data.limit", "1"}), HasSubstr("1 of 1: c, "));
  const ChildResult past = preview(
      with_task("jsonl", "jsonl.jsonl", {"--data.train-share", "0.75", "--data.offset", "3"}));
  EXPECT_EQ(past.status, 3);
  EXPECT_THAT(past.err, HasSubstr("offset below 3"));
  const ChildResult none = preview(with_task("jsonl", "jsonl.jsonl", {"--eval"}));
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("no held-out questions"));
  const ChildResult both = preview({"--data.train-share", "0.5"});
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, HasSubstr("two sources"));
}

TEST_F(TaskCli, WrongFileAndWrongTaskAreOneLine) {
  const ChildResult file = preview(with_task("svamp", "strategyqa.json"));
  EXPECT_EQ(file.status, 3);
  EXPECT_THAT(file.err, AllOf(HasSubstr("strategyqa.json, record 1"), HasSubstr("data.task")));
  const ChildResult task = preview(with_task("gsm9k", "gsm8k.jsonl"));
  EXPECT_EQ(task.status, 2);
  EXPECT_THAT(task.err, AllOf(HasSubstr("gsm9k"), HasSubstr("date_understanding")));
  for (const ChildResult& result : {file, task}) {
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

// A config, a file of questions of all four types: nothing else is needed.
TEST_F(TaskCli, OwnQuestionsOfEveryTypeAreTrainedAndEvaluated) {
  const Words own = with_task("jsonl", "jsonl.jsonl",
                              {"--data.train-share", "0.5", "--prompts.file",
                               std::string(SOFTCOT_PROMPT_FOLDER) + "/general.txt"});
  for (const std::string& command : Words{"precompute", "train", "evaluate"}) {
    Words options = own;
    if (command == "train") options.insert(options.end(), {"--train.steps", "2"});
    if (command == "evaluate") options.insert(options.end(), {"--max-new-tokens", "4"});
    const ChildResult result =
        run_softcot(command == "precompute" ? project_->call(command, options)
                                            : project_->call_in("own", command, options));
    ASSERT_EQ(result.status, 0) << command << result.err;
  }
  const std::string results = read_file(project_->path("own") / "results.json", 1u << 20);
  EXPECT_THAT(results, HasSubstr("zero_shot_cot"));
}

TEST(AugmentCli, WritesBothFilesAndReportsItsCounts) {
  const TemporaryFolder folder;
  const auto out = folder.path() / "aug";
  const ChildResult result =
      run_softcot({"augment", "--file", kSamples / "asdiv.xml", "--out", out, "--seed", "7"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::ContainsRegex("problems in the file +10\n"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("with 5 copies each +5\n"));
  const std::string all =
      read_file(out / "train.jsonl", 1u << 20) + read_file(out / "test.jsonl", 1u << 20);
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 25);
}

TEST(AugmentCli, RefusesWhatItCannotUse) {
  const TemporaryFolder folder;
  const auto out = folder.path() / "aug";
  const ChildResult other =
      run_softcot({"augment", "--file", kSamples / "svamp.json", "--out", out});
  EXPECT_EQ(other.status, 3);
  EXPECT_THAT(other.err, HasSubstr("not the XML of ASDiv"));
  EXPECT_EQ(run_softcot({"augment", "--file", folder.path() / "none", "--out", out}).status, 3);
  EXPECT_EQ(run_softcot({"augment", "--out", out}).status, 2);
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace softcot::test
