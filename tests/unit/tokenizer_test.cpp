#include "data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using nlohmann::json;
using test::tiny_tokenizer_json;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;

class TokenizerTest : public testing::Test {
 protected:
  Tokenizer load(const json& description) {
    return Tokenizer::load(write_text(folder_.path() / "tokenizer.json", description.dump()));
  }

  test::TemporaryFolder folder_;
};

// The tiny vocabulary: each byte has its own value as its id, then "he" 256, "ll" 257, "hell" 258,
// "o " is no token; "Ġh" 259 (a space and an h), "12" 260.
TEST_F(TokenizerTest, MergesByRankNotByPosition) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  EXPECT_THAT(tokenizer.encode("hello"), ElementsAre(258, 'o'));
  EXPECT_THAT(tokenizer.encode("help"), ElementsAre(256, 'l', 'p'));
  // "Ġh" ranks after "he", so the space stays alone.
  EXPECT_THAT(tokenizer.encode(" he"), ElementsAre(' ', 256));
  EXPECT_THAT(tokenizer.encode(" ha"), ElementsAre(259, 'a'));
}

TEST_F(TokenizerTest, DigitsStayApartEvenWhereAMergeExists) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  EXPECT_THAT(tokenizer.encode("12"), ElementsAre('1', '2'));
}

TEST_F(TokenizerTest, WholeWordsAreKeptWhenMergesAreIgnored) {
  json description = tiny_tokenizer_json();
  description["model"]["vocab"]["xyz"] = 300;  // no merge leads to it
  EXPECT_THAT(load(description).encode("xyz"), ElementsAre('x', 'y', 'z'));
  description["model"]["ignore_merges"] = true;
  EXPECT_THAT(load(description).encode("xyz"), ElementsAre(300));
}

TEST_F(TokenizerTest, MergesAreReadAsStringsAndAsPairs) {
  json description = tiny_tokenizer_json();
  description["model"]["merges"] = json::parse(R"(["h e", "l l", "he ll"])");
  const auto as_strings = load(description).encode("hello");
  description["model"]["merges"] = json::parse(R"([["h","e"], ["l","l"], ["he","ll"]])");
  EXPECT_EQ(load(description).encode("hello"), as_strings);
  EXPECT_THAT(as_strings, ElementsAre(258, 'o'));
}

TEST_F(TokenizerTest, AddedTokensAreFoundInTextUnlessAskedOtherwise) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  const auto end = *tokenizer.token_id("<|im_end|>");
  EXPECT_THAT(tokenizer.encode("a<|im_end|>b"), ElementsAre('a', end, 'b'));
  EXPECT_THAT(tokenizer.encode("<|<|im_end|>"), ElementsAre('<', '|', end));
  const auto plain = tokenizer.encode("a<|im_end|>b", TokensInText::kPlain);
  EXPECT_EQ(plain.size(), 12u);
  EXPECT_EQ(tokenizer.decode(plain), "a<|im_end|>b");
}

TEST_F(TokenizerTest, LongestAddedTokenWinsAndFlagsAreHonoured) {
  json description = tiny_tokenizer_json();
  const auto add = [&](const char* content, int id, const char* flag) {
    json token = {{"id", id}, {"content", content}, {"normalized", false}};
    if (*flag != '\0') token[flag] = true;
    description["added_tokens"].push_back(token);
  };
  add("<a>", 400, "");
  add("<a><b>", 401, "");
  add("<left>", 402, "lstrip");
  add("<right>", 403, "rstrip");
  add("word", 404, "single_word");
  const Tokenizer tokenizer = load(description);
  EXPECT_THAT(tokenizer.encode("<a><b><a>"), ElementsAre(401, 400));
  EXPECT_THAT(tokenizer.encode("x \n<left> y"), ElementsAre('x', 402, ' ', 'y'));
  EXPECT_THAT(tokenizer.encode("x <right> \ny"), ElementsAre('x', ' ', 403, 'y'));
  EXPECT_THAT(tokenizer.encode("<right> <left>"), ElementsAre(403, 402));
  EXPECT_THAT(tokenizer.encode("word.word"), ElementsAre(404, '.', 404));
  EXPECT_THAT(tokenizer.encode("words"), ElementsAre('w', 'o', 'r', 'd', 's'));
  EXPECT_EQ(tokenizer.vocab_size(), 405);
}

TEST_F(TokenizerTest, ComposesOnlyWithNfc) {
  const std::string decomposed = "e\xCC\x81";
  json description = tiny_tokenizer_json();
  EXPECT_EQ(load(description).encode(decomposed).size(), 3u);
  description["normalizer"] = {{"type", "NFC"}};
  EXPECT_THAT(load(description).encode(decomposed), ElementsAre(0xC3, 0xA9));
}

TEST_F(TokenizerTest, NormalizedTokensAreFoundInNormalizedText) {
  json description = tiny_tokenizer_json();
  description["normalizer"] = {{"type", "NFC"}};
  const std::string composed = "\xC3\xA9!";
  description["added_tokens"].push_back({{"id", 400}, {"content", composed}, {"normalized", true}});
  description["added_tokens"].push_back(
      {{"id", 401}, {"content", "\xC3\xA9?"}, {"normalized", false}});
  const Tokenizer tokenizer = load(description);
  EXPECT_THAT(tokenizer.encode("e\xCC\x81!"), ElementsAre(400));
  EXPECT_THAT(tokenizer.encode("e\xCC\x81?"), ElementsAre(0xC3, 0xA9, '?'));
}

TEST_F(TokenizerTest, SplitRemovesAndInverts) {
  json description = tiny_tokenizer_json();
  json split = {{"type", "Split"}, {"pattern", {{"Regex", "\\s+"}}}, {"behavior", "Removed"}};
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  description["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}};
  EXPECT_THAT(load(description).encode("a \n b"), ElementsAre('a', 'b'));
  split["invert"] = true;
  description["pre_tokenizer"]["pretokenizers"][0] = split;
  EXPECT_THAT(load(description).encode("a \n b"), ElementsAre(' ', '\n', ' '));
  split["pattern"] = {{"String", "."}};
  split["behavior"] = "Isolated";
  description["pre_tokenizer"]["pretokenizers"][0] = split;
  EXPECT_THAT(load(description).encode("he.h"), ElementsAre(256, '.', 'h'));
}

TEST_F(TokenizerTest, PrefixSpaceIsAddedWhenAsked) {
  json description = tiny_tokenizer_json();
  description["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}};
  const Tokenizer tokenizer = load(description);
  EXPECT_THAT(tokenizer.encode("ha"), ElementsAre(259, 'a'));
  EXPECT_THAT(tokenizer.encode(" ha"), ElementsAre(259, 'a'));
}

TEST_F(TokenizerTest, BrokenCharactersDecodeAsOneReplacementForEachLongestPrefix) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  const auto decode = [&](std::vector<std::int64_t> ids) { return tokenizer.decode(ids); };
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(decode({0xE6, 0x97, 0xA5}), "\xE6\x97\xA5");
  EXPECT_EQ(decode({0xE6, 0x97, 'a'}), r + "a");       // cut short by another character
  EXPECT_EQ(decode({0xE6, 0x97}), r);                  // cut short by the end
  EXPECT_EQ(decode({0xED, 0xA0, 0x80}), r + r + r);    // a surrogate
  EXPECT_EQ(decode({0xC0, 0xAF}), r + r);              // overlong
  EXPECT_EQ(decode({0xF0, 0x9F, 0x99, 0xF0}), r + r);  // two beginnings
  EXPECT_EQ(decode({'a', 0x80, 'b'}), "a" + r + "b");  // a stray continuation
  EXPECT_EQ(decode({'a', 100000, -1, 'b'}), "ab");     // ids that no token has
}

TEST_F(TokenizerTest, StreamedPiecesJoinToTheWholeAndNeverBreakACharacter) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  const auto ids = tokenizer.encode("a\xF0\x9F\x99\x82<|im_end|>\xC3\xA9");
  auto cut = ids;
  cut.pop_back();
  for (const auto& list : {ids, cut}) {
    StreamDecoder stream(tokenizer);
    std::string text;
    for (const auto id : list) {
      const std::string piece = stream.push(id);
      EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
      text += piece;
    }
    EXPECT_EQ(text + stream.finish(), tokenizer.decode(list));
  }
}

TEST_F(TokenizerTest, TokensAreNamedAsTheFileSpellsThem) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  EXPECT_EQ(tokenizer.token_id("Ġh"), 259);
  EXPECT_EQ(tokenizer.token(259), "Ġh");
  EXPECT_EQ(tokenizer.bytes(259), " h");
  EXPECT_EQ(tokenizer.token_id("nothing"), std::nullopt);
  EXPECT_EQ(tokenizer.token_id("\xFF"), std::nullopt);
  EXPECT_EQ(tokenizer.token(-1), std::nullopt);
  EXPECT_EQ(tokenizer.token(100000), std::nullopt);
}

TEST_F(TokenizerTest, HashFollowsTheFile) {
  json description = tiny_tokenizer_json();
  const std::string first = load(description).content_hash();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(load(description).content_hash(), first);
  description["version"] = "2";
  EXPECT_NE(load(description).content_hash(), first);
}

TEST_F(TokenizerTest, RefusesTextThatIsNotUtf8) {
  const Tokenizer tokenizer = load(tiny_tokenizer_json());
  try {
    tokenizer.encode("ab\xFFz");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("byte 2"));
  }
}

TEST_F(TokenizerTest, AMegabyteWordIsMergedInTime) {
  // Merges double a run of a's: the result is known, and a quadratic merge would take minutes.
  json description = tiny_tokenizer_json();
  std::string run = "a";
  for (int id = 500; id < 510; ++id) {
    description["model"]["merges"].push_back({run, run});
    run += run;
    description["model"]["vocab"][run] = id;
  }
  const auto ids = load(description).encode(std::string(1 << 20, 'a'));
  EXPECT_EQ(ids, std::vector<std::int64_t>(1 << 10, 509));
}

}  // namespace
}  // namespace softcot
