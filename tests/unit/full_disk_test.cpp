// A disk that fills up while softcot writes: exit code 6, and nothing half-written stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::IsEmpty;

JobOptions disk_of(std::uint64_t bytes) {
  return {.ranks = 0, .environment = {}, .file_size_limit = bytes};
}

TEST(FullDisk, WhilePrecomputingLeavesNoBlock) {
  const TinyProject project;
  const auto caches = project.path("full");
  for (const std::uint64_t bytes : {700, 2000, 9000}) {
    expect_refused(project.call("precompute", {"--thoughts.cache", caches}), 6, {caches},
                   disk_of(bytes));
    for (const std::string& name : names_below(caches)) {
      EXPECT_FALSE(name.ends_with(".h5") || name.ends_with(".tmp") || name.ends_with(".json"))
          << bytes << ": " << name;
    }
  }
  EXPECT_EQ(run_softcot(project.call("precompute", {"--thoughts.cache", caches})).status, 0);
}

TEST(FullDisk, WhileTrainingLeavesNoCheckpoint) {
  const TinyProject project;
  project.precompute();
  const auto run = project.path("run");
  expect_refused(project.call_in("run", "train"), 6, {run / "config.cfg"}, disk_of(700));
  EXPECT_FALSE(std::filesystem::exists(run / "config.cfg"));
  // Enough for everything but the first checkpoint's 25 KB.
  expect_refused(project.call_in("run", "train"), 6, {run / "checkpoints"}, disk_of(12000));
  EXPECT_THAT(names_below(run / "checkpoints"), IsEmpty());
}

TEST(FullDisk, WhileEvaluatingLosesNoWholeSample) {
  const TinyProject project;
  project.precompute();
  const std::string run = "evaluated";
  ASSERT_EQ(run_softcot(project.call_in(run, "train")).status, 0);
  const auto call = project.call_in(run, "evaluate", {"--max-new-tokens", "60"});
  const auto samples = project.path(run) / "samples";
  expect_refused(call, 6, {samples}, disk_of(5000));
  std::size_t kept = 0;
  for (const std::string& name : names_below(samples)) {
    const std::string text = slurp(samples / name);
    EXPECT_TRUE(text.empty() || text.back() == '\n') << name;
    kept += lines_with(text, "question_id").size();
  }
  EXPECT_GT(kept, 0U);
  EXPECT_FALSE(std::filesystem::exists(project.path(run) / "results.json"));
  const ChildResult again = run_softcot(call);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(lines_with(slurp(samples / "softcot.jsonl"), "question_id").size(),
            static_cast<std::size_t>(TinyProject::kEvalQuestions));
}

}  // namespace
}  // namespace softcot::test
