#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/chat_format.h"
#include "data/tokenizer.h"
#include "support/fixtures.h"

// Ids and decoded texts that the files' own library gives (tokenizer-cases.jsonl: tokenizer, text,
// ids, decoded). The vocabularies are too large for the repository: $SOFTCOT_TOKENIZERS names a
// folder with llama3/, qwen2/ and smollm2/; smollm2 is also found in the model folder that
// launch/setup.sh makes ($SOFTCOT_MODELS, else build/models).
namespace softcot {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> candidates(const std::string& name) {
  std::vector<fs::path> places;
  if (const char* folder = std::getenv("SOFTCOT_TOKENIZERS"))
    places.push_back(fs::path(folder) / name);
  if (name == "smollm2") {
    if (const char* models = std::getenv("SOFTCOT_MODELS")) {
      places.push_back(fs::path(models) / "SmolLM2-135M-Instruct");
    }
    // From a build folder inside the repository up to the repository.
    fs::path up = fs::current_path();
    for (int i = 0; i < 6; ++i, up = up.parent_path()) {
      places.push_back(up / "build/models/SmolLM2-135M-Instruct");
    }
  }
  return places;
}

class TokenizerParity : public testing::TestWithParam<const char*> {};

// The first tokenizer.json found for a family; empty if there is none.
fs::path tokenizer_file(const std::string& name) {
  for (const fs::path& place : candidates(name)) {
    if (fs::exists(place / "tokenizer.json")) return place / "tokenizer.json";
  }
  return {};
}

std::string not_tested(const std::string& name) {
  return "NOT TESTED: no tokenizer \"" + name +
         "\"; set SOFTCOT_TOKENIZERS to a folder with llama3/, qwen2/ and smollm2/, each with its "
         "tokenizer.json";
}

TEST_P(TokenizerParity, EncodesAndDecodesAsTheReference) {
  const fs::path file = tokenizer_file(GetParam());
  if (file.empty()) GTEST_SKIP() << not_tested(GetParam());
  const Tokenizer tokenizer = Tokenizer::load(file);
  std::ifstream cases(test::fixture_folder() / "tokenizer-cases.jsonl");
  ASSERT_TRUE(cases) << "no tokenizer-cases.jsonl in " << test::fixture_folder();
  int compared = 0;
  for (std::string line; std::getline(cases, line);) {
    const nlohmann::json expected = nlohmann::json::parse(line);
    if (expected.at("tokenizer") != GetParam()) continue;
    const auto text = expected.at("text").get<std::string>();
    const auto ids = expected.at("ids").get<std::vector<std::int64_t>>();
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids), expected.at("decoded").get<std::string>()) << text;
    ++compared;
  }
  EXPECT_GT(compared, 100);
  std::printf("%s: %d cases compared\n", GetParam(), compared);
}

TEST(ChatParity, SmollmPromptsHaveTheReferenceIds) {
  const fs::path file = tokenizer_file("smollm2");
  if (file.empty()) GTEST_SKIP() << not_tested("smollm2");
  const Tokenizer tokenizer = Tokenizer::load(file);
  std::ifstream reference(test::fixture_folder() / "smollm2.json");
  const nlohmann::json cases = nlohmann::json::parse(reference).at("cases");
  ASSERT_GE(cases.size(), 3u);
  const std::string before = "<|im_start|>user\n";
  const std::string after = "<|im_end|>\n<|im_start|>assistant\n";
  for (const auto& one : cases) {
    const auto prompt = one.at("prompt").get<std::string>();
    const auto ids = one.at("ids").get<std::vector<std::int64_t>>();
    EXPECT_EQ(tokenizer.encode(prompt), ids) << prompt;
    const std::size_t begin = prompt.find(before) + before.size();
    const std::string question = prompt.substr(begin, prompt.size() - after.size() - begin);
    const auto chat = render_chat(Family::kSmollm2, {ChatMessage::words("user", question)},
                                  AfterChat::kGenerationPrompt);
    EXPECT_EQ(encode_chat(tokenizer, chat), ids) << prompt;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TokenizerParity, testing::Values("llama3", "qwen2", "smollm2"),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace softcot
