// softcot generate --question: an answer on the terminal, with the soft thoughts of a trained run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoints/writer.h"
#include "data/row.h"
#include "evaluation/generation.h"
#include "runtime/safetensors_folder.h"
#include "support/tensors.h"
#include "support/tools_cli.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kToken = 97;  // "a"
constexpr std::int64_t kNewTokens = 5;

/// A model with a tokenizer, and a run whose projection makes every thought the embedding of "a".
class QuestionCli : public ::testing::Test {
 protected:
  QuestionCli() : model_("llama") {
    model_.add_tokenizer();
    const auto weights = load_case(model_.path() / "model.safetensors");
    embedding_ = weights.at("model.embed_tokens.weight")[kToken].to(at::kFloat).contiguous();
    const std::string hash = SafetensorsFolder::open(model_.path()).content_hash();
    identity_ = {{"method", "softcot"},
                 {"placeholders", 2},
                 {"backbone", {{"hash", hash}}},
                 {"prompt_hash", prompt().content_hash()},
                 {"thoughts",
                  {{"assistant_hash", hash},
                   {"assistant_layers", read_model_config(model_.path()).layers},
                   {"thoughts", 2}}}};
  }

  static PromptTemplate prompt() {
    return PromptTemplate::load(std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / "math.txt",
                                ThoughtPrompt::kCounted);
  }

  void write_run() const {
    const auto width = static_cast<std::uint64_t>(embedding_.numel());
    const std::vector<float> zeros(width * width);
    TrainingState state;
    state.step = 3;
    state.metadata = identity_;
    state.tensors.emplace("projection.weight", HostTensor::of_floats({width, width}, zeros));
    state.tensors.emplace(
        "projection.bias",
        HostTensor::of_floats({width}, std::span(embedding_.const_data_ptr<float>(), width)));
    write_checkpoint(run() / "checkpoints", state);
  }

  std::filesystem::path run() const { return folder_.path() / "run"; }

  ChildResult ask(const std::vector<std::string>& more, int ranks = 1) const {
    std::vector<std::string> call = {"generate",
                                     "--model",
                                     model_.path(),
                                     "--prompts.file",
                                     std::string(SOFTCOT_PROMPT_FOLDER) + "/math.txt",
                                     "--question",
                                     "1 and 1?",
                                     "--ignore-stop",
                                     "--max-new-tokens",
                                     std::to_string(kNewTokens)};
    call.insert(call.end(), more.begin(), more.end());
    return softcot(call, "", ranks);
  }

  /// What the engine answers in this process, with so many thoughts that are the embedding of "a".
  std::string answer(std::int64_t thoughts) const {
    const Tokenizer tokenizer = Tokenizer::load(model_.path());
    const PromptTemplate words = prompt();
    Record record;
    record.id = "question";
    record.question = "1 and 1?";
    const Row row =
        RowBuilder(tokenizer, Family::kSmollm2, words).backbone_prompt(record, thoughts);
    GenerationRequest request;
    SoftRow asked{.id = "question", .ids = row.ids};
    asked.thought_begin = row.thoughts.begin;
    asked.thought_count = row.thoughts.count;
    asked.target_begin = row.length();
    request.prompt = share_prompt(asked);
    if (thoughts > 0) request.soft = embedding_.expand({thoughts, -1});
    SingleCommunicator alone;
    const Transformer model(model_.path(), {}, alone);
    GenerationOptions options;
    options.max_new_tokens = kNewTokens;
    std::string text;
    generate(SoftPromptModel(model, {}), {request}, options,
             [&](std::size_t, const Generation& result) { text = tokenizer.decode(result.ids); });
    return text + "\n";
  }

  ModelCopy model_;
  TemporaryFolder folder_;
  at::Tensor embedding_;
  Json identity_;
};

TEST_F(QuestionCli, AnswersWithoutARun) {
  const ChildResult result = ask({});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, answer(0));
}

TEST_F(QuestionCli, AnswersWithTheRunsThoughtsAndShowsThem) {
  write_run();
  const ChildResult plain = ask({"--run.folder", run()});
  EXPECT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(plain.out, answer(2));
  for (const int ranks : {1, 2}) {
    const ChildResult shown =
        ask({"--run.folder", run(), "--show-thoughts", "--thoughts", "3"}, ranks);
    ASSERT_EQ(shown.status, 0) << shown.err;
    EXPECT_THAT(shown.out, ::testing::EndsWith("\n\n" + answer(3)));
    for (const char* line : {"\n      1 ", "\n      2 ", "\n      3 "}) {
      const auto at = shown.out.find(line);
      ASSERT_NE(at, std::string::npos) << shown.out;
      EXPECT_THAT(shown.out.substr(at + 1, shown.out.find('\n', at + 1) - at),
                  ::testing::ContainsRegex("[0-9]\\.[0-9]+x +\"a\" 1\\.00 "));
    }
    EXPECT_EQ(shown.out.find("\n      4 "), std::string::npos);
    EXPECT_THAT(shown.out, HasSubstr("seldom readable"));
  }
}

TEST_F(QuestionCli, RefusesARunOfOtherModelsOrPrompts) {
  const auto refused = [&](const std::string& what) {
    write_run();
    const ChildResult result = ask({"--run.folder", run()});
    EXPECT_EQ(result.status, 5) << what;
    EXPECT_THAT(result.err, HasSubstr("error[5] trained with another " + what));
    EXPECT_EQ(result.out, "");
  };
  const ChildResult empty = ask({"--run.folder", run()});
  EXPECT_EQ(empty.status, 5) << empty.err;
  const Json right = identity_;
  identity_["backbone"]["hash"] = "0";
  refused("backbone");
  identity_ = right;
  identity_["thoughts"]["assistant_hash"] = "0";
  refused("assistant");
  identity_ = right;
  identity_["thoughts"]["assistant_layers"] = 1;
  refused("number of assistant layers");
  identity_ = right;
  identity_["prompt_hash"] = "0";
  refused("prompt file");
}

}  // namespace
}  // namespace softcot::test
