// How tokens are chosen, through the program: the repetition penalty on both scopes, and what a
// model folder's generation_config.json asks for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/files.h"
#include "support/tools_cli.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Its generation_config.json asks for a repetition penalty of 1.3.
const std::filesystem::path kModel = SOFTCOT_PENALTY_MODEL;
const Ids kPrompt = {5, 17, 300, 44, 210, 9, 9, 77, 401, 33, 250, 12, 8, 499, 100, 61};

ChildResult generate(const std::filesystem::path& model, const std::vector<std::string>& more,
                     int ranks = 1) {
  std::vector<std::string> call = {"generate", "--model", model, "--json", "--max-new-tokens", "6"};
  call.insert(call.end(), more.begin(), more.end());
  return softcot(call, lines_of_ids({kPrompt}), ranks);
}

Ids ids_of(const ChildResult& result) {
  EXPECT_EQ(result.status, 0) << result.err;
  const auto lines = parsed_lines(result.out);
  return lines.size() == 1 ? lines[0].at("ids").get<Ids>() : Ids();
}

std::ptrdiff_t count(const std::string& text, const std::string& word) {
  std::ptrdiff_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// The values are Transformers': with ids for all, with inputs_embeds for written.
TEST(SamplingCli, RepetitionPenaltyActsInGreedyDecoding) {
  for (const int tp : {1, 2}) {
    EXPECT_EQ(ids_of(generate(kModel, {"--greedy"}, tp)), Ids({427, 235, 181, 427, 183, 63}));
    EXPECT_EQ(ids_of(generate(kModel, {"--greedy", "--repetition-penalty", "1.3"}, tp)),
              Ids({427, 235, 181, 17, 69, 347}));
    EXPECT_EQ(
        ids_of(generate(
            kModel, {"--greedy", "--repetition-penalty", "1.3", "--repetition-scope", "all"}, tp)),
        Ids({427, 235, 181, 237, 355, 435}));
  }
}

TEST(SamplingCli, OneTokenOfAllIsTheLikeliest) {
  const Ids greedy = ids_of(generate(kModel, {"--greedy"}));
  for (const auto& only :
       {std::vector<std::string>{"--top-k", "1"}, {"--min-p", "1"}, {"--top-p", "1e-9"}}) {
    auto call = only;
    call.insert(call.end(), {"--temperature", "1.5"});
    EXPECT_EQ(ids_of(generate(kModel, call)), greedy) << only[0];
  }
}

TEST(SamplingCli, WhatTheFolderAsksForAndDoesNotGetIsToldOnce) {
  const std::string field = "repetition_penalty 1.3 (1 applies)";
  for (const int ranks : {1, 2}) {
    const auto told = generate(kModel, {"--greedy"}, ranks);
    EXPECT_EQ(count(told.err, "generation_config.json is not applied"), 1) << told.err;
    EXPECT_THAT(told.err, AllOf(HasSubstr(field), HasSubstr("--repetition-penalty 1.3")));
  }
  const auto applied = generate(kModel, {"--greedy", "--repetition-penalty", "1.3"});
  EXPECT_THAT(applied.err, Not(HasSubstr("generation_config.json")));
}

/// zero_shot_cot on one question, with the greedy line too, in this folder.
class EvaluatedFolder {
 public:
  ChildResult evaluate(const std::vector<std::string>& more) const {
    const auto questions = folder_.path() / "q.jsonl";
    spill(questions,
          "{\"question\": \"ab\", \"rationale\": [\"a\"], \"answer\": \"1\", \"type\": "
          "\"number\"}\n");
    const auto prompts = std::filesystem::path(SOFTCOT_PROMPT_FOLDER) / "math.txt";
    std::vector<std::string> call = {"evaluate", "--model", kModel, "--task", "jsonl"};
    call.insert(call.end(), {"--data.eval-file", questions, "--prompts.file", prompts});
    call.insert(call.end(), {"--evaluate.methods", "zero_shot_cot", "--max-new-tokens", "12"});
    call.insert(call.end(), {"--run.folder", folder_.path() / "run"});
    call.insert(call.end(), more.begin(), more.end());
    return softcot(call);
  }

  /// The new tokens of the one sample.
  Ids ids(const std::string& name = "zero_shot_cot") const {
    const auto lines = parsed_lines(slurp(folder_.path() / "run/samples" / (name + ".jsonl")));
    return lines.size() == 2 ? lines[1].at("ids").get<Ids>() : Ids();
  }

 private:
  TemporaryFolder folder_;
};

TEST(SamplingCli, EvaluateTellsItToo) {
  const EvaluatedFolder told_in, applied_in;
  const auto told = told_in.evaluate({});
  EXPECT_EQ(told.status, 0) << told.err;
  EXPECT_EQ(count(told.err, "generation_config.json is not applied"), 1) << told.err;
  EXPECT_THAT(told.err, HasSubstr("--evaluate.repetition-penalty 1.3"));
  const auto applied = applied_in.evaluate({"--evaluate.repetition-penalty", "1.3"});
  EXPECT_EQ(applied.status, 0) << applied.err;
  EXPECT_THAT(applied.err, Not(HasSubstr("generation_config.json")));
}

TEST(SamplingCli, EvaluateSamplesAsItsOptionsSay) {
  Ids greedy_ids;
  const auto sampled = [&](std::vector<std::string> more) {
    const EvaluatedFolder folder;
    more.insert(more.end(),
                {"--evaluate.temperature", "1", "--evaluate.also-greedy", "zero_shot_cot"});
    const auto result = folder.evaluate(more);
    EXPECT_EQ(result.status, 0) << result.err;
    greedy_ids = folder.ids("zero_shot_cot-greedy");
    return folder.ids();
  };
  const Ids free = sampled({});
  const Ids greedy = greedy_ids;
  EXPECT_EQ(free.size(), 12U);
  EXPECT_NE(free, greedy);
  EXPECT_EQ(sampled({"--evaluate.top-k", "1"}), greedy);
  EXPECT_EQ(greedy_ids, greedy);
  EXPECT_EQ(sampled({"--evaluate.min-p", "1"}), greedy);
  // In scope all the prompt's tokens are hardly written any more; in the greedy line too.
  const std::vector<std::string> penalty = {"--evaluate.top-k", "1",
                                            "--evaluate.repetition-penalty", "100"};
  const Ids written = sampled(penalty);
  EXPECT_EQ(greedy_ids, written);
  auto all_of_them = penalty;
  all_of_them.insert(all_of_them.end(), {"--evaluate.repetition-scope", "all"});
  const Ids all = sampled(all_of_them);
  EXPECT_EQ(greedy_ids, all);
  EXPECT_NE(all, written);
}

TEST(SamplingCli, SamplesOfOtherSettingsAreSetAside) {
  const EvaluatedFolder folder;
  const std::vector<std::string> drawn = {"--evaluate.temperature", "1"};
  ASSERT_EQ(folder.evaluate(drawn).status, 0);
  for (const auto& other :
       {std::vector<std::string>{"--evaluate.top-k", "5"},
        {"--evaluate.min-p", "0.1"},
        {"--evaluate.repetition-penalty", "1.1"},
        {"--evaluate.repetition-penalty", "1.1", "--evaluate.repetition-scope", "all"}}) {
    auto call = drawn;
    call.insert(call.end(), other.begin(), other.end());
    const auto result = folder.evaluate(call);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(other[other.size() - 2].substr(2) + " was")) << other[0];
    EXPECT_THAT(result.err, HasSubstr("set-aside-")) << other[0];
  }
  EXPECT_EQ(folder.evaluate(drawn).status, 0);
}

}  // namespace
}  // namespace softcot::test
