// Golden prompts: for each task the whole rows, token for token, with what is trained marked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/benchmark.h"
#include "data/row_text.h"
#include "runtime/atomic_file.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

const std::filesystem::path kSamples = SOFTCOT_TEST_DATA;

// Words, whatever they spell.
constexpr const char* kWritten = "Count {question} <|im_end|>";

struct TaskFile {
  const char* task;
  const char* file;
  int record = 0;
};

class TaskPrompt : public testing::TestWithParam<TaskFile> {
 protected:
  TaskPrompt()
      : record_(read_benchmark(GetParam().task, kSamples / GetParam().file)
                    .at(static_cast<std::size_t>(GetParam().record))),
        tokenizer_(Tokenizer::load(test::write_text(folder_.path() / "tokenizer.json",
                                                    test::tiny_tokenizer_json().dump()))),
        prompt_(PromptTemplate::load(
            std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / benchmark_of(GetParam().task).prompts,
            ThoughtPrompt::kCounted)),
        builder_(tokenizer_, Family::kSmollm2, prompt_) {}

  std::string shown(const Row& row) const {
    return row_text(row_runs(tokenizer_, Family::kSmollm2, row), RowMarks::kPlain);
  }
  std::string words(const Row& row, std::int64_t begin, std::int64_t end) const {
    return tokenizer_.decode(
        std::vector<std::int64_t>(row.ids.begin() + begin, row.ids.begin() + end));
  }

  test::TemporaryFolder folder_;
  Record record_;
  Tokenizer tokenizer_;
  PromptTemplate prompt_;
  RowBuilder builder_;
};

TEST_P(TaskPrompt, IsTheGoldenOne) {
  const std::string text = "backbone:\n" + shown(builder_.backbone_row(record_, 3)) +
                           "\nzero-shot:\n" + shown(builder_.backbone_prompt(record_, 0)) +
                           "\nassistant:\n" + shown(builder_.assistant_row(record_, 3)) +
                           "\nassistant, writing:\n" + shown(builder_.writing_prompt(record_, 3)) +
                           "\nbackbone, with what it wrote:\n" +
                           shown(builder_.backbone_row_with(record_, kWritten)) + "\n";
  const std::string name =
      GetParam().record == 0 ? GetParam().task
                             : std::string(GetParam().task) + std::to_string(GetParam().record + 1);
  EXPECT_EQ(text, read_file(kSamples / "golden" / (name + ".txt"), 1u << 20));
}

// A model copies a number that its prompt states into its answers.
TEST_P(TaskPrompt, WordsOfTheBackboneDoNotDependOnN) {
  const auto without_placeholders = [&](std::int64_t n) {
    Row row = builder_.backbone_row(record_, n);
    EXPECT_EQ(row.thoughts.count, n);
    const auto begin = row.ids.begin() + row.thoughts.begin;
    row.ids.erase(begin, begin + n);
    return row.ids;
  };
  EXPECT_EQ(without_placeholders(1), without_placeholders(32));
}

TEST_P(TaskPrompt, TrainsTheTargetsAndTheEndOfTheTurnOnly) {
  const Row row = builder_.backbone_row(record_, 3);
  EXPECT_EQ(row.target_begin, builder_.backbone_prompt(record_, 3).length());
  EXPECT_EQ(words(row, row.target_begin, row.length()), prompt_.target(record_) + "<|im_end|>");
  EXPECT_TRUE(words(row, 0, row.target_begin).ends_with("<|im_end|>\n<|im_start|>assistant\n"));
  // Nothing before the targets gives the answer's line away.
  const std::string before = words(row, 0, row.target_begin);
  EXPECT_EQ(before.find("\\boxed{" + record_.answer + "}"), std::string::npos);
  std::int64_t trained = 0;
  for (const TextRun& run : row_runs(tokenizer_, Family::kSmollm2, row)) {
    if (run.trained) trained += run.tokens;
  }
  EXPECT_EQ(trained, row.length() - row.target_begin);
}

INSTANTIATE_TEST_SUITE_P(
    Tasks, TaskPrompt,
    testing::Values(TaskFile{"gsm8k", "gsm8k.jsonl"}, TaskFile{"asdiv", "asdiv.xml"},
                    TaskFile{"asdiv_aug", "asdiv_aug.jsonl"}, TaskFile{"aqua", "aqua.json"},
                    TaskFile{"strategyqa", "strategyqa.json"},
                    TaskFile{"date_understanding", "date_understanding.json"},
                    TaskFile{"svamp", "svamp.json"}, TaskFile{"multiarith", "multiarith.json"},
                    TaskFile{"jsonl", "jsonl.jsonl"}, TaskFile{"jsonl", "jsonl.jsonl", 1},
                    TaskFile{"jsonl", "jsonl.jsonl", 2}, TaskFile{"jsonl", "jsonl.jsonl", 3}),
    [](const auto& tested) {
      return std::string(tested.param.task) + std::to_string(tested.param.record + 1);
    });

TEST(TaskPrompts, EveryTaskHasOneThatLoadsEitherWay) {
  for (const Benchmark& benchmark : benchmarks()) {
    const auto file = std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / benchmark.prompts;
    for (const auto kind : {ThoughtPrompt::kCounted, ThoughtPrompt::kUncounted}) {
      EXPECT_NO_THROW(PromptTemplate::load(file, kind)) << file;
    }
  }
}

TEST(RowText, ControlCharactersDoNotReachTheTerminal) {
  const std::vector<TextRun> runs = {
      {.kind = TokenKind::kWords, .trained = false, .text = "a\x1b[2Jb\x07\n\tc", .tokens = 8},
      {.kind = TokenKind::kSpecial, .trained = true, .text = "<|im_end|>", .tokens = 1}};
  EXPECT_EQ(row_text(runs, RowMarks::kPlain), "a\uFFFD[2Jb\uFFFD\n\tc«⟦<|im_end|>⟧»");
  EXPECT_EQ(row_text(runs, RowMarks::kColour), "a\uFFFD[2Jb\uFFFD\n\tc\x1b[1;32m<|im_end|>\x1b[0m");
}

}  // namespace
}  // namespace softcot
