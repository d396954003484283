// `softcot plan` as it is called: what it prints, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/job.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Words = std::vector<std::string>;

Words plan(const Words& more) {
  Words call = {"plan",         "--model", "Llama-3.1-8B", "--assistant",
                "Llama-3.2-1B", "--dtype", "bfloat16"};
  call.insert(call.end(), more.begin(), more.end());
  return call;
}

TEST(PlanCommand, ShowsEveryLayoutAndTakesOne) {
  const ChildResult result = run_softcot(plan({"--gpus", "8", "--batch", "32"}));
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* part : {"8.03 B parameters", "tp 1 × dp 8", "tp 8 × dp 1",
                           "Take tp 1 × dp 8, --parallel.tp 1:", "Assumed: 989 TFLOP/s"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
}

TEST(PlanCommand, PartsOfItsJsonAddUp) {
  const ChildResult result = run_softcot(plan({"--gpus", "16", "--json"}));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json.at("layouts").size(), 5);
  for (const auto& layout : json.at("layouts")) {
    std::int64_t bytes = 0;
    for (const auto& part : layout.at("memory_bytes")) bytes += part.get<std::int64_t>();
    EXPECT_EQ(bytes, layout.at("peak_memory_bytes"));
    double seconds = 0;
    for (const auto& part : layout.at("seconds")) seconds += part.get<double>();
    EXPECT_NEAR(seconds, layout.at("step_seconds").get<double>(), 1e-12);
    EXPECT_EQ(layout.at("tp").get<int>() * layout.at("dp").get<int>(), 16);
  }
}

TEST(PlanCommand, FollowsItsOptions) {
  const auto first = [](const Words& more) {
    const ChildResult result = run_softcot(plan(more));
    EXPECT_EQ(result.status, 0) << result.err;
    return nlohmann::json::parse(result.out).at("layouts").at(0);
  };
  const auto compute = [&](const char* tflops, const char* bandwidth) {
    return first({"--gpus", "8", "--json", "--plan.tflops", tflops, "--plan.memory-bandwidth",
                  bandwidth})["seconds"]["compute"]
        .get<double>();
  };
  // A pass takes as long as its products or as the reading of its weights. In small batches there
  // are passes of either kind, so each limit is taken away in turn.
  const char* const unlimited = "1e9";
  EXPECT_NEAR(compute("98.9", unlimited) / compute("989", unlimited), 10, 1e-6);
  EXPECT_NEAR(compute(unlimited, "335") / compute(unlimited, "3350"), 10, 1e-6);
  const auto base = first({"--gpus", "8", "--json"});
  const auto longer =
      first({"--gpus", "8", "--row-tokens", "600", "--longest-row", "1200", "--json"});
  EXPECT_GT(longer["peak_memory_bytes"], base["peak_memory_bytes"]);
}

TEST(PlanCommand, EndsWith6WhereNothingFits) {
  const ChildResult result = run_softcot(plan({"--gpus", "1", "--gpu-memory", "16"}));
  EXPECT_EQ(result.status, 6);
  EXPECT_THAT(result.out, HasSubstr("does not fit"));
  EXPECT_THAT(result.err,
              AllOf(StartsWith("error[6] "), HasSubstr("no layout fits into memory"),
                    HasSubstr("too much"), HasSubstr("more memory a GPU"), HasSubstr("such GPUs")));
}

TEST(PlanCommand, RefusesWhatCannotBe) {
  expect_refused({"plan", "--model", "llama-3.1-9b"}, 3,
                 {"known model", "did you mean Llama-3.1-8B?"});
  expect_refused({"plan", "--model", "Llama-3.1-8B", "--assistant", "models/Qwen2-0.5B"}, 3,
                 {"assistant.path", "did you mean Qwen2.5-0.5B?"});
  expect_refused(plan({"--gpus", "0"}), 2, {"plan.gpus", "at least 1"});
  expect_refused(plan({"--gpus", "8", "--nodes", "3"}), 2, {"different numbers of ranks"});
  expect_refused(plan({"--gpus", "12"}), 2, {"do not fill nodes of 8", "--nodes"});
  expect_refused(plan({"--row-tokens", "900"}), 2, {"row lengths contradict each other"});
  expect_refused(plan({"--method", "coconut"}), 2, {"not planned"});
  expect_refused(plan({"--method", "full"}), 2, {"float32"});
}

}  // namespace
}  // namespace softcot::test
