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

TEST(Quirks, AreNamedOneByOneOrAllAtOnce) {
  EXPECT_EQ(quirks_of<ScoringQuirks>({}), ScoringQuirks{});
  EXPECT_EQ(quirks_of<ScoringQuirks>({"strict"}), ScoringQuirks{});
  EXPECT_EQ(quirks_name(ScoringQuirks{}), "strict");
  const auto all = quirks_of<ScoringQuirks>({"reference"});
  EXPECT_EQ(quirks_name(all), "reference");
  for (const auto& quirk : all_quirks<ScoringQuirks>()) {
    EXPECT_TRUE(all.*quirk.flag) << quirk.name;
    const auto one = quirks_of<ScoringQuirks>({quirk.name});
    EXPECT_EQ(quirks_name(one), quirk.name);
    for (const auto& other : all_quirks<ScoringQuirks>()) {
      EXPECT_EQ(one.*other.flag, other.flag == quirk.flag) << other.name;
    }
  }
  const auto two = quirks_of<TrainingQuirks>({"calculator_kept", "last_token_cut"});
  EXPECT_EQ(quirks_name(two), "last_token_cut+calculator_kept");
  EXPECT_FALSE(two.answer_line_is_step);
  EXPECT_THAT(quirk_choices<TrainingQuirks>(),
              ElementsAre("strict", "reference", "last_token_cut", "answer_line_is_step",
                          "calculator_kept"));
  EXPECT_THROW(quirks_of<TrainingQuirks>({"lost_sign"}), Error);
}

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
    const auto records = read_benchmark("gsm8k", file, {}, quirks_of<TrainingQuirks>(quirks));
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
  const RowBuilder cut(words, Family::kLlama, prompt_, LastToken::kCut);
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
  EXPECT_EQ(
      RowBuilder(chat_ml, Family::kQwen2, prompt_, LastToken::kCut).backbone_row(record, 2).ids,
      RowBuilder(chat_ml, Family::kQwen2, prompt_).backbone_row(record, 2).ids);
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
