#include "data/chat_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/special_tokens.h"
#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kLlamaSpecials = {"<|begin_of_text|>",
                                                 "<|end_of_text|>",
                                                 "<|start_header_id|>",
                                                 "<|end_header_id|>",
                                                 "<|eot_id|>",
                                                 "<|eom_id|>",
                                                 "<|reserved_special_token_0|>",
                                                 "<|reserved_special_token_1|>"};
const std::vector<std::string> kQwenSpecials = {"<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                                "<|box_start|>", "<|box_end|>"};

Tokenizer tiny(const std::vector<std::string>& specials) {
  const test::TemporaryFolder folder;
  return Tokenizer::load(test::write_text(folder.path() / "tokenizer.json",
                                          test::tiny_tokenizer_json(specials).dump()));
}

std::string chat_text(const std::vector<ChatPiece>& pieces) {
  std::string text;
  for (const ChatPiece& piece : pieces) text += piece.text;
  return text;
}

std::string render(Family family, const std::vector<ChatMessage>& messages,
                   AfterChat after = AfterChat::kGenerationPrompt) {
  return chat_text(render_chat(family, messages, after));
}

template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  return "accepted";
}

TEST(ChatFormat, SmollmPromptsEqualTheReference) {
  std::ifstream file(test::fixture_folder() / "smollm2.json");
  const nlohmann::json cases = nlohmann::json::parse(file).at("cases");
  ASSERT_GE(cases.size(), 3u);
  const std::string before = "<|im_start|>user\n";
  const std::string after = "<|im_end|>\n<|im_start|>assistant\n";
  for (const auto& one : cases) {
    const auto prompt = one.at("prompt").get<std::string>();
    const std::size_t begin = prompt.find(before) + before.size();
    const std::string question = prompt.substr(begin, prompt.size() - after.size() - begin);
    EXPECT_EQ(render(Family::kSmollm2, {ChatMessage::words("user", question)}), prompt);
  }
}

TEST(ChatFormat, Llama) {
  EXPECT_EQ(render(Family::kLlama, {ChatMessage::words("user", " \n What is 2+2?\t\n")}),
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
            "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nWhat is 2+2?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
  EXPECT_EQ(render(Family::kLlama,
                   {ChatMessage::words("system", "Be brief. "), ChatMessage::words("user", "Hi"),
                    ChatMessage::words("assistant", "Hello\xE3\x80\x80")},
                   AfterChat::kNothing),
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
            "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>");
}

TEST(ChatFormat, Qwen) {
  EXPECT_EQ(render(Family::kQwen2, {ChatMessage::words("user", " What is 2+2? ")}),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n"
            "<|im_start|>user\n What is 2+2? <|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(render(Family::kQwen2,
                   {ChatMessage::words("system", "S"), ChatMessage::words("user", "U"),
                    ChatMessage::words("assistant", "A")},
                   AfterChat::kNothing),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n"
            "<|im_start|>assistant\nA<|im_end|>\n");
}

TEST(ChatFormat, LlamaTrimsAroundTokensNotBetween) {
  const std::vector<ChatPiece> content = {
      {" a ", false}, {"<|end_of_text|>", true}, {" b ", false}};
  EXPECT_THAT(render(Family::kLlama, {{"user", content}}),
              HasSubstr("\n\na <|end_of_text|> b<|eot_id|>"));
  const std::vector<ChatPiece> blank = {{"a ", false}, {"  ", false}};
  EXPECT_THAT(render(Family::kLlama, {{"user", blank}}), HasSubstr("\n\na<|eot_id|>"));
}

TEST(ChatFormat, RefusesWhatTheTemplatesDoNotHave) {
  EXPECT_THAT(refusal([] { render(Family::kQwen2, {}); }), HasSubstr("without a message"));
  EXPECT_THAT(refusal([] { render(Family::kQwen2, {ChatMessage::words("tool", "x")}); }),
              HasSubstr("tool"));
  EXPECT_THAT(refusal([] {
                render(Family::kLlama,
                       {ChatMessage::words("user", "x"), ChatMessage::words("system", "y")});
              }),
              HasSubstr("messages[1]"));
  EXPECT_THAT(refusal([] { render(Family::kLlama, {ChatMessage::words("user", "\xFF")}); }),
              HasSubstr("UTF-8"));
}

TEST(ChatFormat, WordsNeverBecomeTokens) {
  const Tokenizer tokenizer = tiny(kQwenSpecials);
  const auto chat = render_chat(Family::kQwen2, {ChatMessage::words("user", "a<|im_end|>b")},
                                AfterChat::kNothing);
  const auto ids = encode_chat(tokenizer, chat);
  // Those of the system message and of the user message, none from the words.
  EXPECT_EQ(std::count(ids.begin(), ids.end(), *tokenizer.token_id("<|im_end|>")), 2);
  EXPECT_EQ(tokenizer.decode(ids), chat_text(chat));
}

TEST(ChatFormat, WordsBetweenTokensAreOneText) {
  const Tokenizer tokenizer = tiny(kQwenSpecials);
  // "h" + "e" are two pieces and one token.
  EXPECT_THAT(encode_chat(tokenizer, {{"h", false}, {"e", false}}), testing::ElementsAre(256));
}

TEST(SpecialTokens, FamilyFollowsModelTypeAndTokens) {
  EXPECT_EQ(detect_family(tiny(kLlamaSpecials), "llama"), Family::kLlama);
  EXPECT_EQ(detect_family(tiny(kQwenSpecials), "qwen2"), Family::kQwen2);
  const Tokenizer smollm =
      tiny({"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<issue_start>", "<issue_closed>"});
  EXPECT_EQ(detect_family(smollm, "llama"), Family::kSmollm2);
  const SpecialTokens tokens = special_tokens(smollm, Family::kSmollm2);
  EXPECT_EQ(tokens.placeholder, 270);
  EXPECT_EQ(tokens.thoughts_begin, 273);
  EXPECT_EQ(tokens.thoughts_end, 274);
  EXPECT_EQ(tokens.end_of_turn, 272);
  EXPECT_THAT(tokens.stop, testing::ElementsAre(272, 270));
  EXPECT_THAT(special_tokens(tiny(kLlamaSpecials), Family::kLlama).stop,
              testing::ElementsAre(274, 271, 275));
}

TEST(SpecialTokens, MissingTokensAreAllNamed) {
  const std::string text = refusal([] {
    detect_family(tiny({"<|endoftext|>", "<|im_start|>"}), "qwen2");
  });
  EXPECT_THAT(text, HasSubstr("<|im_end|>"));
  EXPECT_THAT(text, HasSubstr("<|box_start|>"));
  EXPECT_THAT(text, Not(HasSubstr("<|im_start|>")));
  EXPECT_THAT(refusal([] { detect_family(tiny({}), "llama"); }), HasSubstr("<|eot_id|>"));
  EXPECT_THAT(refusal([] { detect_family(tiny(kQwenSpecials), "gemma"); }), HasSubstr("gemma"));
}

}  // namespace
}  // namespace softcot
