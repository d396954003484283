// Each habit of the paper's code that can be switched on, by itself.
#include "data/compat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/benchmark.h"
#include "data/row.h"
#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Quirks, AreNamedOneByOneOrAllAtOnce) {
  EXPECT_EQ(quirks_of<ScoringQuirks>({}, "gsm8k"), ScoringQuirks{});
  EXPECT_EQ(quirks_of<ScoringQuirks>({"strict"}, "gsm8k"), ScoringQuirks{});
  EXPECT_EQ(quirks_name(ScoringQuirks{}), "strict");
  const auto all = quirks_of<ScoringQuirks>({"reference"}, "gsm8k");
  EXPECT_EQ(quirks_name(all), "reference");
  for (const auto& quirk : all_quirks<ScoringQuirks>()) {
    EXPECT_TRUE(all.*quirk.flag) << quirk.name;
    const auto one = quirks_of<ScoringQuirks>({quirk.name}, "gsm8k");
    EXPECT_EQ(quirks_name(one), quirk.name);
    for (const auto& other : all_quirks<ScoringQuirks>()) {
      EXPECT_EQ(one.*other.flag, other.flag == quirk.flag) << other.name;
    }
  }
  const auto two = quirks_of<TrainingQuirks>({"calculator_kept", "last_token_cut"}, "gsm8k");
  EXPECT_EQ(quirks_name(two), "last_token_cut+calculator_kept");
  EXPECT_FALSE(two.answer_line_is_step);
  EXPECT_THAT(quirk_choices<TrainingQuirks>(),
              ElementsAre("strict", "reference", "last_token_cut", "answer_line_is_step",
                          "calculator_kept", "turn_opening_trained"));
  EXPECT_THROW(quirks_of<TrainingQuirks>({"lost_sign"}, "gsm8k"), Error);
}

// The paper's code has each on these tasks only; named by itself a quirk is on everywhere.
TEST(Quirks, ReferenceIsWhatThePapersCodeHasOnATask) {
  const auto names = [](const std::string& quirk, const std::string& task) {
    return quirks_name(quirks_of<TrainingQuirks>({quirk}, task));
  };
  EXPECT_EQ(names("reference", "gsm8k"), "reference");
  EXPECT_EQ(names("reference", "asdiv_aug"), "reference");
  EXPECT_EQ(names("reference", "aqua"), "answer_line_is_step+turn_opening_trained");
  for (const char* task : {"strategyqa", "date_understanding", "svamp", "jsonl"}) {
    EXPECT_EQ(names("reference", task), "turn_opening_trained");
  }
  for (const Benchmark& task : benchmarks()) {
    for (const auto& quirk : all_quirks<TrainingQuirks>()) {
      EXPECT_EQ(names(quirk.name, task.name), quirk.name) << task.name;
      for (const std::string_view known : quirk.tasks)
        EXPECT_NO_THROW(benchmark_of(std::string(known)));
    }
    EXPECT_EQ(quirks_name(quirks_of<ScoringQuirks>({"reference"}, task.name)), "reference");
  }
}

constexpr TrainingQuirks kCut = {.last_token_cut = true};
constexpr TrainingQuirks kOpening = {.turn_opening_trained = true};

class TrainingQuirksTest : public testing::Test {
 protected:
  TrainingQuirksTest()
      : prompt_(PromptTemplate::load(std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / "math.txt",
                                     ThoughtPrompt::kCounted)) {}

  Tokenizer tokenizer(const std::vector<std::string>& specials) const {
    return Tokenizer::load(test::write_text(folder_.path() / "tokenizer.json",
                                            test::tiny_tokenizer_json(specials).dump()));
  }
  Tokenizer llama() const {
    return tokenizer({"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                      "<|end_header_id|>", "<|eot_id|>", "<|reserved_special_token_0|>",
                      "<|reserved_special_token_1|>"});
  }

  /// The steps of "9*2 = 18" as GSM8K writes it.
  std::vector<std::string> steps(const std::vector<std::string>& quirks) const {
    const auto file = test::write_text(folder_.path() / "gsm8k.jsonl",
                                       "{\"question\": \"How much?\", \"answer\": \"She makes 9 * "
                                       "2 = $<<9*2=18>>18.\\n#### 18\"}\n");
    const auto records =
        read_benchmark("gsm8k", file, {}, quirks_of<TrainingQuirks>(quirks, "gsm8k"));
    EXPECT_EQ(records.at(0).answer, "18");
    return records.at(0).rationale_steps;
  }

  test::TemporaryFolder folder_;
  PromptTemplate prompt_;
};

TEST_F(TrainingQuirksTest, RationalesOfGsm8k) {
  EXPECT_THAT(steps({"strict"}), ElementsAre("She makes 9 * 2 = $18."));
  EXPECT_THAT(steps({"last_token_cut"}), ElementsAre("She makes 9 * 2 = $18."));
  EXPECT_THAT(steps({"calculator_kept"}), ElementsAre("She makes 9 * 2 = $<<9*2=18>>18."));
  EXPECT_THAT(steps({"answer_line_is_step"}), ElementsAre("She makes 9 * 2 = $18.", "#### 18"));
  EXPECT_THAT(steps({"reference"}), ElementsAre("She makes 9 * 2 = $<<9*2=18>>18.", "#### 18"));
}

TEST_F(TrainingQuirksTest, TheAnswerLineBecomesTheLastStep) {
  Record record{.id = "q",
                .question = "?",
                .rationale_steps = steps({"answer_line_is_step"}),
                .answer = "18",
                .type = AnswerType::kNumber,
                .choices = {}};
  EXPECT_EQ(prompt_.target(record),
            "## Step 1: She makes 9 * 2 = $18.\n## Step 2: #### 18\n"
            "Therefore, the final answer is: $\\boxed{18}$.");
}

TEST_F(TrainingQuirksTest, LlamaNeverLearnsTheEndOfItsTurn) {
  const Record record{.id = "q",
                      .question = "What is 2+2?",
                      .rationale_steps = {"2+2=4."},
                      .answer = "4",
                      .type = AnswerType::kNumber,
                      .choices = {}};
  const Tokenizer words = llama();
  const RowBuilder strict(words, Family::kLlama, prompt_);
  const RowBuilder cut(words, Family::kLlama, prompt_, kCut);
  Row whole = strict.backbone_row(record, 2);
  const Row shorter = cut.backbone_row(record, 2);
  EXPECT_EQ(whole.ids.back(), strict.tokens().end_of_turn);
  whole.ids.pop_back();
  EXPECT_EQ(shorter.ids, whole.ids);
  EXPECT_EQ(shorter.target_begin, whole.target_begin);
  EXPECT_EQ(cut.backbone_prompt(record, 2).ids, strict.backbone_prompt(record, 2).ids);

  // In ChatML the last token is a line break, and no target.
  const Tokenizer chat_ml =
      tokenizer({"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|box_start|>", "<|box_end|>"});
  EXPECT_EQ(RowBuilder(chat_ml, Family::kQwen2, prompt_, kCut).backbone_row(record, 2).ids,
            RowBuilder(chat_ml, Family::kQwen2, prompt_).backbone_row(record, 2).ids);
}

TEST_F(TrainingQuirksTest, TheTurnsOpeningIsATarget) {
  const Record record{.id = "q",
                      .question = "What is 2+2?",
                      .rationale_steps = {"2+2=4."},
                      .answer = "4",
                      .type = AnswerType::kNumber,
                      .choices = {}};
  struct Chat {
    Family family;
    Tokenizer words;
    const char* opening;
  };
  const Chat chats[] = {
      {Family::kLlama, llama(), "<|start_header_id|>assistant<|end_header_id|>\n\n"},
      {Family::kQwen2,
       tokenizer({"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|box_start|>", "<|box_end|>"}),
       "<|im_start|>assistant\n"}};
  for (const Chat& chat : chats) {
    const RowBuilder strict(chat.words, chat.family, prompt_);
    const RowBuilder opened(chat.words, chat.family, prompt_, kOpening);
    const auto targets = [&](const Row& row) {
      return chat.words.decode(
          std::span(row.ids).subspan(static_cast<std::size_t>(row.target_begin)));
    };
    for (const std::int64_t n : {0, 2}) {
      const Row whole = strict.backbone_row(record, n);
      const Row row = opened.backbone_row(record, n);
      EXPECT_EQ(row.ids, whole.ids);
      EXPECT_EQ(row.thoughts, whole.thoughts);
      EXPECT_EQ(targets(row), chat.opening + targets(whole));
      EXPECT_EQ(opened.backbone_prompt(record, n).target_begin,
                strict.backbone_prompt(record, n).target_begin);
    }
    EXPECT_EQ(targets(opened.backbone_row_with(record, "A hint.")),
              chat.opening + targets(strict.backbone_row_with(record, "A hint.")));
    // Latents stand between the opening and what is written.
    EXPECT_EQ(opened.latent_row(record, 1, 2, true).target_begin,
              strict.latent_row(record, 1, 2, true).target_begin);
  }
}

// What the paper's code trains on each task, in the words of a row.
TEST_F(TrainingQuirksTest, RowsUnderReferenceTaskByTask) {
  const std::filesystem::path samples = SOFTCOT_TEST_DATA;
  const Tokenizer words = llama();
  const std::string opening = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  struct Case {
    const char* task;
    const char* file;
    bool cut;
    bool line;
  };
  for (const Case& each : {Case{"gsm8k", "gsm8k.jsonl", true, true},
                           {"asdiv_aug", "asdiv_aug.jsonl", true, true},
                           {"aqua", "aqua.json", false, true},
                           {"strategyqa", "strategyqa.json", false, false},
                           {"svamp", "svamp.json", false, false}}) {
    SCOPED_TRACE(each.task);
    const auto quirks = quirks_of<TrainingQuirks>({"reference"}, each.task);
    const auto prompt = PromptTemplate::load(
        std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / benchmark_of(each.task).prompts,
        ThoughtPrompt::kCounted);
    for (const Record& record : read_benchmark(each.task, samples / each.file, {}, quirks)) {
      const Row row = RowBuilder(words, Family::kLlama, prompt, quirks).backbone_row(record, 2);
      const std::string trained =
          words.decode(std::span(row.ids).subspan(static_cast<std::size_t>(row.target_begin)));
      EXPECT_THAT(trained, StartsWith(opening));
      EXPECT_EQ(trained.ends_with("<|eot_id|>"), !each.cut) << trained;
      EXPECT_EQ(trained.find(": #### " + record.answer + "\n") != std::string::npos, each.line)
          << trained;
    }
  }
}

TEST_F(TrainingQuirksTest, PromptsEndWithTheTurnsOpening) {
  const Record record{.id = "q",
                      .question = "What is 2+2?",
                      .rationale_steps = {},
                      .answer = "4",
                      .type = AnswerType::kNumber,
                      .choices = {}};
  const Tokenizer words = llama();
  const RowBuilder builder(words, Family::kLlama, prompt_);
  EXPECT_EQ(words.decode(builder.turn_opening()),
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
  for (const std::int64_t n : {0, 3}) {
    auto ids = builder.backbone_prompt(record, n).ids;
    const auto opening = static_cast<std::ptrdiff_t>(builder.turn_opening().size());
    EXPECT_TRUE(std::equal(ids.end() - opening, ids.end(), builder.turn_opening().begin()));
    ids.erase(ids.end() - opening, ids.end());
    EXPECT_EQ(ids.back(), builder.tokens().end_of_turn);
    EXPECT_THAT(words.decode(ids), Not(HasSubstr("assistant<")));
  }
}

}  // namespace
}  // namespace softcot
