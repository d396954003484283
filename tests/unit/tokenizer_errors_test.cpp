#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "data/tokenizer.h"
#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tiny_tokenizer.h"

namespace softcot {
namespace {

using nlohmann::json;
using test::tiny_tokenizer_json;
using test::write_text;
using testing::HasSubstr;

class TokenizerErrorsTest : public testing::Test {
 protected:
  std::string refusal(const std::string& text) {
    const auto path = write_text(folder_.path() / "tokenizer.json", text);
    try {
      Tokenizer::load(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInput);
      return error.what();
    }
    return "accepted";
  }

  std::string refusal_of(const std::function<void(json&)>& damage) {
    json description = tiny_tokenizer_json();
    damage(description);
    return refusal(description.dump());
  }

  test::TemporaryFolder folder_;
};

TEST_F(TokenizerErrorsTest, RefusesDamagedFilesInClearWords) {
  EXPECT_THAT(refusal(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("{\"model\": {\"vocab\": {\"a\": 1"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("pre_tokenizer"));
  EXPECT_THAT(refusal("{\"a\": \"\xFF\"}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal(R"({"model": {"vocab": {"a": 1, "a": 2}}})"), HasSubstr("token twice"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["vocab"]["zz"] = 7; }), HasSubstr("one id"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["vocab"]["zz"] = -1; }), HasSubstr("got -1"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["vocab"]["zz"] = 1e18; }), HasSubstr("fraction"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["vocab"]["zz"] = 4000000000; }),
              HasSubstr("out of range"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["vocab"]["zz"] = "1"; }), HasSubstr("\"zz\""));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["merges"].push_back("h"); }),
              HasSubstr("merges[5]"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["merges"].push_back("a b c"); }),
              HasSubstr("a b c"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["merges"].push_back(3); }),
              HasSubstr("a number"));
  EXPECT_THAT(refusal_of([](json& d) {
                d["model"]["merges"].push_back({"a", "b", "c"});
              }),
              HasSubstr("array of 3"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["merges"].push_back("a b"); }),
              HasSubstr("merge into a token"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["merges"].push_back("qq b"); }),
              HasSubstr("merge of a token"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["merges"].push_back("h e"); }),
              HasSubstr("given twice"));
  EXPECT_THAT(refusal_of([](json& d) { d["added_tokens"][0]["id"] = 65; }),
              HasSubstr("added_tokens[0]"));
  EXPECT_THAT(refusal_of([](json& d) { d["added_tokens"][0]["id"] = -5; }), HasSubstr("-5"));
  EXPECT_THAT(refusal_of([](json& d) { d["added_tokens"][0]["content"] = ""; }),
              HasSubstr("0 bytes"));
  EXPECT_THAT(refusal_of([](json& d) { d["added_tokens"].push_back(d["added_tokens"][0]); }),
              HasSubstr("each token once"));
}

TEST_F(TokenizerErrorsTest, NamesComponentsThatItDoesNotKnow) {
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["type"] = "Unigram"; }), HasSubstr("Unigram"));
  EXPECT_THAT(refusal_of([](json& d) {
                d["normalizer"] = {{"type", "Lowercase"}};
              }),
              HasSubstr("Lowercase"));
  EXPECT_THAT(refusal_of([](json& d) { d["pre_tokenizer"]["type"] = "Metaspace"; }),
              HasSubstr("Metaspace"));
  EXPECT_THAT(refusal_of([](json& d) { d["pre_tokenizer"]["pretokenizers"][0]["type"] = "Bert"; }),
              HasSubstr("Bert"));
  EXPECT_THAT(refusal_of([](json& d) {
                d["decoder"] = {{"type", "WordPiece"}};
              }),
              HasSubstr("WordPiece"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["end_of_word_suffix"] = "</w>"; }),
              HasSubstr("</w>"));
  EXPECT_THAT(refusal_of([](json& d) { d["model"]["dropout"] = 0.1; }), HasSubstr("dropout"));
  EXPECT_THAT(refusal_of([](json& d) {
                d["pre_tokenizer"]["pretokenizers"][0] = {
                    {"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}};
              }),
              HasSubstr("does not compile"));
}

TEST_F(TokenizerErrorsTest, MissingFilesAreNamed) {
  try {
    Tokenizer::load(folder_.path() / "nowhere");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("nowhere"));
  }
}

}  // namespace
}  // namespace softcot
