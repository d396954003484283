#include "launch/run/generation_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/error.h"
#include "support/files.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string unapplied(const std::string& json, const SamplingOptions& sampling,
                      const std::optional<std::string>& prefix = "evaluate.") {
  const test::TemporaryFolder folder;
  test::spill(folder.path() / "generation_config.json", json);
  return unapplied_generation_config(folder.path(), sampling, prefix);
}

const SamplingOptions kGreedy;
const SamplingOptions kDrawn{.temperature = 1};

TEST(GenerationConfig, IsSilentWhereNothingDiffers) {
  EXPECT_EQ(unapplied_generation_config("/nowhere", kGreedy, ""), "");
  for (const char* json :
       {"{}", "[]", R"({"eos_token_id": 2, "max_length": 4096, "transformers_version": "5"})",
        R"({"do_sample": null, "temperature": null, "top_k": null, "suppress_tokens": []})",
        R"({"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1, "typical_p": 1,
            "num_beams": 1, "no_repeat_ngram_size": 0, "sequence_bias": {}})"}) {
    EXPECT_EQ(unapplied(json, kGreedy), "") << json;
    EXPECT_EQ(unapplied(json, kDrawn), "") << json;
  }
  EXPECT_EQ(unapplied(R"({"do_sample": false})", kGreedy), "");
  EXPECT_EQ(unapplied(R"({"do_sample": false, "temperature": 0.6, "top_p": 0.9})", kGreedy), "");
  EXPECT_EQ(unapplied(R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.9,
                          "min_p": 0.05, "repetition_penalty": 1.05})",
                      {.temperature = 0.6,
                       .top_k = 20,
                       .top_p = 0.9,
                       .min_p = 0.05,
                       .repetition_penalty = 1.05}),
            "");
}

TEST(GenerationConfig, NamesFieldValueAndWhatApplies) {
  EXPECT_THAT(unapplied(R"({"repetition_penalty": 1.05, "top_k": 20, "top_p": 0.8})",
                        {.temperature = 1, .top_k = 50}),
              EndsWith("generation_config.json is not applied: top_k 20 (50 applies), top_p 0.8 "
                       "(1 applies), repetition_penalty 1.05 (1 applies); to apply it: "
                       "--evaluate.top-k 20 --evaluate.top-p 0.8 "
                       "--evaluate.repetition-penalty 1.05"));
  EXPECT_THAT(unapplied(R"({"min_p": 0.1})", kDrawn, ""), EndsWith("to apply it: --min-p 0.1"));
  EXPECT_THAT(unapplied(R"({"min_p": 0.1})", kDrawn, std::nullopt), EndsWith("(0 applies)"));
}

TEST(GenerationConfig, SaysThatGreedyDecodingApplies) {
  EXPECT_THAT(unapplied(R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9})", kGreedy, ""),
              EndsWith("not applied: do_sample true (temperature 0, greedy, applies), temperature "
                       "0.6 (0, greedy, applies), top_p 0.9 (1, greedy, applies); to apply it: "
                       "--temperature 0.6 --top-p 0.9"));
  EXPECT_THAT(unapplied(R"({"do_sample": true})", kGreedy, ""), EndsWith("--temperature 1"));
  EXPECT_THAT(unapplied(R"({"do_sample": false})", kDrawn, ""),
              EndsWith("do_sample false (temperature 1 applies); to apply it: --temperature 0"));
}

TEST(GenerationConfig, NamesWhatHasNoOption) {
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"suppress_tokens", "[7]"},
      {"begin_suppress_tokens", "[7]"},
      {"bad_words_ids", "[[7]]"},
      {"no_repeat_ngram_size", "3"},
      {"typical_p", "0.9"},
      {"epsilon_cutoff", "0.001"},
      {"eta_cutoff", "0.001"},
      {"encoder_repetition_penalty", "1.1"},
      {"encoder_no_repeat_ngram_size", "2"},
      {"forced_bos_token_id", "5"},
      {"forced_eos_token_id", "2"},
      {"exponential_decay_length_penalty", "[5, 1.1]"},
      {"sequence_bias", "[[[7], 1.0]]"},
      {"guidance_scale", "1.5"},
      {"min_new_tokens", "3"},
      {"num_beams", "4"}};
  for (const auto& [name, value] : fields) {
    const std::string json = "{\"" + name + "\": " + value + "}";
    for (const auto& sampling : {kGreedy, kDrawn}) {
      EXPECT_THAT(unapplied(json, sampling), AllOf(HasSubstr("not applied: " + name + " "),
                                                   EndsWith("(not supported, none applies)")));
    }
  }
  std::string many = R"({"suppress_tokens": [0)";
  for (int id = 1; id < 90; ++id) many += ", " + std::to_string(id);
  const std::string line = unapplied(many + "]}", kGreedy);
  EXPECT_THAT(line, AllOf(HasSubstr("suppress_tokens a list of 90"), Not(HasSubstr("\n"))));
}

TEST(GenerationConfig, ThatIsNoJsonIsRefused) { EXPECT_THROW(unapplied("{", kGreedy), Error); }

}  // namespace
}  // namespace softcot
