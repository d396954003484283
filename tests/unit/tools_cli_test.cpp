// score and generate as programs run them: JSON lines in, JSON lines out, on small models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "evaluation/generation.h"
#include "runtime/json_file.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/tools_cli.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;

/// The rows of a fixture's forward pass, without padding, and the logits [T, V] of each.
struct Forward {
  std::vector<Ids> rows;
  std::vector<at::Tensor> logits;
};

Forward forward_case(const std::string& model) {
  const auto tensors = load_case(fixture_folder() / (model + ".forward.safetensors"));
  Forward forward;
  for (std::int64_t r = 0; r < tensors.at("input_ids").size(0); ++r) {
    const auto keep = tensors.at("attention_mask")[r].to(at::kBool);
    const auto ids = tensors.at("input_ids")[r].masked_select(keep);
    const auto* data = ids.const_data_ptr<std::int64_t>();
    forward.rows.emplace_back(data, data + ids.numel());
    forward.logits.push_back(tensors.at("logits")[r].index({keep}));
  }
  return forward;
}

class Tools : public ::testing::TestWithParam<const char*> {};

TEST_P(Tools, ScoreGivesTheFixturesLogProbabilities) {
  const std::string name = GetParam();
  const Forward forward = forward_case(name);
  for (const int tp : {1, 2, 4}) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const ChildResult result =
        softcot({"score", "--model", fixture_folder() / name}, lines_of_ids(forward.rows), tp);
    ASSERT_EQ(result.status, 0) << result.err;
    const auto answers = parsed_lines(result.out);
    ASSERT_EQ(answers.size(), forward.rows.size());
    for (std::size_t r = 0; r < answers.size(); ++r) {
      const Ids& ids = forward.rows[r];
      const Json& got = answers[r].at("token_logprobs");
      ASSERT_EQ(got.size(), ids.size());
      EXPECT_TRUE(got[0].is_null());
      const auto expected = forward.logits[r].to(at::kDouble).log_softmax(1);
      double sum = 0;
      for (std::size_t t = 1; t < ids.size(); ++t) {
        const double logprob = expected[static_cast<std::int64_t>(t) - 1][ids[t]].item<double>();
        EXPECT_NEAR(got[t].get<double>(), logprob, 2e-4) << "token " << t;
        sum += got[t].get<double>();
      }
      EXPECT_NEAR(answers[r].at("logprob").get<double>(), sum, 1e-9);
      EXPECT_EQ(answers[r].at("is_greedy"), false);  // Random ids of a random model.
    }
  }
}

TEST_P(Tools, GreedyMeansTheLikeliestToken) {
  const std::string name = GetParam();
  const Forward forward = forward_case(name);
  const std::int64_t first = forward.rows[0][0];
  const auto best = forward.logits[0][0].argmax().item<std::int64_t>();
  const std::string input = lines_of_ids({{first, best}, {first, best == 7 ? 8 : 7}});
  for (const int tp : {1, 2}) {
    const auto scored =
        parsed_lines(softcot({"score", "--model", fixture_folder() / name}, input, tp).out);
    ASSERT_EQ(scored.size(), 2U);
    EXPECT_EQ(scored[0].at("is_greedy"), true);
    EXPECT_EQ(scored[1].at("is_greedy"), false);
  }
}

/// The greedy ids that the engine gives in this process; greedy_parity_test ties it to
/// Transformers.
Ids continued(const std::filesystem::path& folder, const Ids& prompt, std::int64_t count) {
  SingleCommunicator alone;
  const Transformer model(folder, {}, alone);
  GenerationRequest request;
  SoftRow row{.id = "", .ids = prompt};
  row.target_begin = static_cast<std::int64_t>(prompt.size());
  request.prompt = share_prompt(row);
  GenerationOptions options;
  options.max_new_tokens = count;
  Ids ids;
  generate(SoftPromptModel(model, {}), {request}, options,
           [&](std::size_t, const Generation& result) { ids = result.ids; });
  return ids;
}

TEST_P(Tools, GenerateContinuesIdsOfAModelWithoutATokenizer) {
  const std::string name = GetParam();
  const Forward forward = forward_case(name);
  std::vector<Ids> expected;
  for (std::size_t r = 0; r < forward.rows.size(); ++r) {
    expected.push_back(continued(fixture_folder() / name, forward.rows[r], 6));
    EXPECT_EQ(expected[r][0], forward.logits[r][-1].argmax().item<std::int64_t>());
  }
  for (const int tp : {1, 2, 4}) {
    const ChildResult result = softcot({"generate", "--model", fixture_folder() / name, "--greedy",
                                        "--max-new-tokens", "6", "--ignore-stop", "--json"},
                                       lines_of_ids(forward.rows), tp);
    ASSERT_EQ(result.status, 0) << result.err;
    const auto answers = parsed_lines(result.out);
    ASSERT_EQ(answers.size(), expected.size());
    for (std::size_t r = 0; r < answers.size(); ++r) {
      EXPECT_EQ(answers[r], (Json{{"ids", expected[r]}, {"text", ""}, {"finish", "length"}}))
          << "tp " << tp;
    }
  }
}

TEST_P(Tools, GenerateEndsAtTheStopTokenOfTheFolder) {
  const ModelCopy model(GetParam());
  const Ids prompt = {5, 9, 300, 17};
  const Ids free = continued(model.path(), prompt, 12);
  const std::int64_t stop = free[3];
  const auto length = std::find(free.begin(), free.end(), stop) - free.begin() + 1;
  model.set_stop_token(stop);
  const std::vector<std::string> call = {"generate",         "--model", model.path(), "--greedy",
                                         "--max-new-tokens", "12",      "--json"};
  const auto stopped = parsed_lines(softcot(call, lines_of_ids({prompt})).out);
  ASSERT_EQ(stopped.size(), 1U);
  EXPECT_EQ(stopped[0].at("ids"), Ids(free.begin(), free.begin() + length));
  EXPECT_EQ(stopped[0].at("finish"), "stop");
  auto ignoring = call;
  ignoring.emplace_back("--ignore-stop");
  const auto whole = parsed_lines(softcot(ignoring, lines_of_ids({prompt})).out);
  ASSERT_EQ(whole.size(), 1U);
  EXPECT_EQ(whole[0].at("ids"), free);
  EXPECT_EQ(whole[0].at("finish"), "length");
}

INSTANTIATE_TEST_SUITE_P(Models, Tools, ::testing::Values("llama", "qwen2"));

TEST(ToolsCli, SamplesDependOnSeedAndLineButNotOnBatchOrRanks) {
  const std::filesystem::path model = fixture_folder() / "llama";
  const auto sample = [&](const std::string& seed, const std::string& batch, int ranks) {
    return softcot({"generate", "--model",
                    model,      "--temperature",
                    "1.5",      "--top-p",
                    "0.95",     "--top-k",
                    "40",       "--min-p",
                    "0.01",     "--repetition-penalty",
                    "1.2",      "--repetition-scope",
                    "all",      "--max-new-tokens",
                    "8",        "--ignore-stop",
                    "--json",   "--seed",
                    seed,       "--batch",
                    batch},
                   lines_of_ids({{5, 6, 7}, {5, 6, 7}, {8, 9}}), ranks)
        .out;
  };
  const std::string one = sample("1", "1", 1);
  const auto lines = parsed_lines(one);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[0], lines[1]);
  EXPECT_EQ(sample("1", "3", 1), one);
  EXPECT_EQ(sample("1", "2", 2), one);
  EXPECT_NE(sample("2", "1", 1), one);
}

TEST(ToolsCli, TextIsEncodedAsAWholeAndSplitBehindThePrompt) {
  const ModelCopy model("llama");
  model.add_tokenizer();
  const std::vector<std::string> call = {"score", "--model", model.path()};
  const auto text = [](const std::string& prompt, const std::string& completion) {
    return Json{{"prompt", prompt}, {"completion", completion}}.dump() + "\n";
  };
  // "ab" | "c<|im_end|>" are 97 98 | 99 272; behind an empty prompt the first token has no
  // probability.
  const ChildResult result = softcot(call, text("ab", "c<|im_end|>") + text("", "ab") +
                                               text("a", "") + lines_of_ids({{97, 98, 99, 272}}));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto answers = parsed_lines(result.out);
  ASSERT_EQ(answers.size(), 4U);
  const Json& whole = answers[3].at("token_logprobs");
  ASSERT_EQ(answers[0].at("token_logprobs").size(), 2U);
  ASSERT_EQ(answers[1].at("token_logprobs").size(), 2U);
  for (const int t : {0, 1}) {
    EXPECT_NEAR(answers[0].at("token_logprobs")[t].get<double>(), whole[t + 2].get<double>(), 1e-4);
  }
  EXPECT_TRUE(answers[1].at("token_logprobs")[0].is_null());
  EXPECT_NEAR(answers[1].at("token_logprobs")[1].get<double>(), whole[1].get<double>(), 1e-4);
  EXPECT_EQ(answers[2],
            (Json{{"token_logprobs", Json::array()}, {"logprob", 0.0}, {"is_greedy", true}}));
  // "hell" is one token: it takes the prompt's "h" with it.
  const ChildResult melted = softcot(call, text("h", "ell"));
  EXPECT_EQ(melted.status, 3);
  EXPECT_THAT(melted.err, HasSubstr("completion has no token of its own: standard input, line 1"));
}

TEST(ToolsCli, PromptsAndMessagesBecomeTheIdsOfTheirText) {
  const ModelCopy model("llama");
  model.add_tokenizer();
  const std::string chat =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"
      "<|im_start|>assistant\n";
  const Json messages = {{{"role", "system"}, {"content", "Be brief."}},
                         {{"role", "user"}, {"content", "hi"}}};
  const ChildResult tokenized =
      softcot({"tokenize", "--model", model.path()}, Json{{"text", chat}}.dump());
  const Ids ids = Json::parse(tokenized.out).at("ids");
  const std::string input = Json{{"messages", messages}}.dump() + "\n" +
                            Json{{"prompt", chat}}.dump() + "\n" + lines_of_ids({ids});
  const ChildResult result = softcot({"generate", "--model", model.path(), "--greedy",
                                      "--max-new-tokens", "8", "--ignore-stop", "--json"},
                                     input);
  ASSERT_EQ(result.status, 0) << result.err;
  const auto answers = parsed_lines(result.out);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0], answers[2]);
  EXPECT_EQ(answers[1], answers[2]);
  EXPECT_EQ(answers[0].at("ids"), continued(model.path(), ids, 8));
}

/// The real model, its tokenizer and its reference, through the programs.
TEST(ToolsCli, Smollm2AsItsReferenceSays) {
  const auto model = model_folder("SmolLM2-135M-Instruct");
  if (!model) {
    GTEST_SKIP() << "no SmolLM2-135M-Instruct: run launch/setup.sh, or name its parent folder in "
                    "SOFTCOT_MODELS";
  }
  const Json reference = read_json_file(fixture_folder() / "smollm2.json").at("cases");
  std::string prompts;
  for (std::size_t i = 0; i < 3; ++i) {
    const Json& one = reference[i];
    prompts += Json{{"prompt", one.at("prompt")}}.dump() + "\n";
  }
  const ChildResult result = softcot(
      {"generate", "--model", *model, "--greedy", "--max-new-tokens", "32", "--json"}, prompts);
  ASSERT_EQ(result.status, 0) << result.err;
  const auto answers = parsed_lines(result.out);
  ASSERT_EQ(answers.size(), 3U);
  std::string completions;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(answers[i].at("ids"), reference[i].at("greedy"));
    completions +=
        Json{{"prompt", reference[i].at("prompt")}, {"completion", answers[i].at("text")}}.dump() +
        "\n";
  }
  const auto scores = parsed_lines(softcot({"score", "--model", *model}, completions).out);
  ASSERT_EQ(scores.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(scores[i].at("is_greedy"), true);
    EXPECT_EQ(scores[i].at("token_logprobs").size(), 32U);
    EXPECT_NEAR(scores[i].at("token_logprobs")[0].get<double>(),
                reference[i].at("top")[0][1].get<double>(), 1e-3);
  }
}

}  // namespace
}  // namespace softcot::test
