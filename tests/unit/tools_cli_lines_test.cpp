// How score and generate treat the lines of their input: order, batches, waiting, and mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/tools_cli.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;

TEST(ToolsCli, ManyLinesAreAnsweredInOrderAndAsIfAlone) {
  const std::filesystem::path model = fixture_folder() / "llama";
  const auto row = [](std::int64_t i) { return Ids{1 + i % 500, (7 * i) % 512, 3 + i % 100}; };
  constexpr std::int64_t kLines = 150;
  std::string input = "\n";
  for (std::int64_t i = 0; i < kLines; ++i) input += lines_of_ids({row(i)}) + (i % 7 ? "" : " \n");
  const auto together = parsed_lines(softcot({"score", "--model", model}, input).out);
  const auto shared = parsed_lines(softcot({"score", "--model", model}, input, 2).out);
  ASSERT_EQ(together.size(), static_cast<std::size_t>(kLines));
  ASSERT_EQ(shared.size(), together.size());
  for (const std::int64_t i : {0, 63, 64, 149}) {
    const auto index = static_cast<std::size_t>(i);
    const auto alone =
        parsed_lines(softcot({"score", "--model", model}, lines_of_ids({row(i)})).out);
    ASSERT_EQ(alone.size(), 1U);
    const double expected = alone[0].at("logprob");
    EXPECT_NEAR(together[index].at("logprob").get<double>(), expected, 1e-4);
    EXPECT_NEAR(shared[index].at("logprob").get<double>(), expected, 1e-4);
  }
}

TEST(ToolsCli, BadLinesEndItAfterThoseBefore) {
  const std::string model = fixture_folder() / "llama";
  const std::string good = "{\"ids\": [1]}\n";
  const auto refused = [&](const std::string& command, const std::string& line,
                           const std::string& what) {
    std::vector<std::string> call = {command, "--model", model};
    if (command == "generate") call.insert(call.end(), {"--json", "--max-new-tokens", "1"});
    const ChildResult result = softcot(call, good + "\n" + line + "\n" + good);
    EXPECT_EQ(result.status, 3) << line;
    EXPECT_THAT(result.err, HasSubstr("error[3] " + what));
    EXPECT_THAT(result.err, HasSubstr("standard input, line 3"));
    if (command == "score") {
      EXPECT_EQ(result.out, kOneIdScored);
    } else {
      EXPECT_EQ(parsed_lines(result.out).size(), 1U);
    }
  };
  refused("score", "{\"ids\": [1, 512]}", "token id outside of the model's vocabulary");
  refused("score", "{\"ids\": [-1]}", "token id outside of the model's vocabulary");
  refused("score", "{\"ids\": []}", "no token");
  refused("score", "{\"ids\": [1.5]}", "");
  refused("score", "{\"ids\": [1], \"prompt\": \"a\"}", "not clear what to score");
  refused("score", "{}", "not clear what to score");
  refused("score", "{\"prompt\": \"a\"}", "");
  refused("score", "[1]", "line is not a JSON object");
  refused("score", "{\"prompt\": \"a\", \"completion\": \"b\"}",
          "text for a model without a tokenizer");
  refused("generate", "{\"prompt\": \"a\"}", "text for a model without a tokenizer");
  refused("generate", "{\"messages\": []}", "text for a model without a tokenizer");
  refused("generate", "{\"ids\": [1], \"prompt\": \"a\"}", "not clear what to continue");
}

TEST(ToolsCli, CallsThatMakeNoSenseAreRefused) {
  const std::string model = fixture_folder() / "llama";
  const auto refused = [&](std::vector<std::string> call, const std::string& what, int ranks = 1) {
    call.insert(call.begin() + 1, {"--model", model});
    call.insert(call.begin(), SOFTCOT_PROGRAM);
    const ChildResult result = run_child(ranks == 1 ? call : under_mpirun(ranks, call));
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr("error[2] " + what));
    EXPECT_EQ(result.out, "");
  };
  refused({"generate"}, "nothing to answer");
  refused({"generate", "--json", "--question", "a"}, "both JSON lines and a question");
  refused({"generate", "--json", "--show-thoughts"}, "JSON lines are continued without");
  refused({"generate", "--question", "a", "--show-thoughts"}, "no soft thoughts to show");
  refused({"generate", "--json", "--greedy", "--temperature", "1"}, "greedy and sampled at once");
  refused({"score", "--parallel.tp", "2"}, "all ranks of this command share one model");
  refused({"score"}, "all ranks of this command share one model", 2);
  refused({"score", "--parallel.tp", "3"}, "", 3);  // Eight query heads.
  EXPECT_EQ(softcot({"score", "--model", "/no/such/model"}).status, 3);
}

TEST(ToolsCli, ScoreServesAProgramAtTheOtherEndOfAPipe) {
  // The second question is asked only after the first answer has arrived; alone and on two ranks.
  for (const std::string ranks : {"", "mpirun --oversubscribe --bind-to none -n 2 "}) {
    const std::string script =
        "coproc " + ranks + "'" + std::string(SOFTCOT_PROGRAM) + "' score --model '" +
        (fixture_folder() / "llama").string() + "' " + (ranks.empty() ? "" : "--parallel.tp 2") +
        "; for id in 5 6; do echo \"{\\\"ids\\\": [$id]}\" >&${COPROC[1]}; "
        "read -t 60 -r answer <&${COPROC[0]} || exit 9; echo \"$answer\"; done";
    const ChildResult result = run_child({"bash", "-c", script});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.out, std::string(kOneIdScored) + kOneIdScored);
  }
}

TEST(ToolsCli, WaitingForALineIsNotALostRank) {
  // Longer without input than a collective may wait.
  const std::string script =
      "{ sleep 12; echo '{\"ids\": [5]}'; } | mpirun --oversubscribe --bind-to none -n 2 '" +
      std::string(SOFTCOT_PROGRAM) +
      "' score --parallel.tp 2 --parallel.timeout-seconds 8 --model '" +
      (fixture_folder() / "llama").string() + "'";
  const ChildResult result = run_child({"bash", "-c", script});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, kOneIdScored);
}

}  // namespace
}  // namespace softcot::test
