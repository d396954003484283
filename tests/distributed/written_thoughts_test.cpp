// What the assistant writes for zero_shot_assist_cot: the same tokens however many ranks write them
// and however often they are killed, kept beside the thought caches, shown and checked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/cache_lock.h"
#include "evaluation/sample_log.h"
#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;
using Texts = std::map<std::string, std::vector<std::int64_t>>;  // Tokens by question id.

const Words kSampled = {"--thoughts.written-temperature", "1"};

class Written : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { project_ = std::make_unique<TinyProject>(); }
  static void TearDownTestSuite() { project_.reset(); }

  static Words call(const std::string& command, const std::string& caches, const Words& more = {}) {
    Words options = {"--thoughts.cache",     project_->path(caches), "--evaluate.methods",
                     "zero_shot_assist_cot", "--thoughts.count",     "12"};
    options.insert(options.end(), more.begin(), more.end());
    return project_->call(command, options);
  }
  static std::filesystem::path folder_of(const std::string& caches) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(project_->path(caches), none)) {
      if (entry.path().filename().string().starts_with("written-")) return entry.path();
    }
    return {};
  }
  static Texts precompute(const std::string& caches, int ranks, const Words& more = {}) {
    const ChildResult result = run_softcot(call("precompute", caches, more), on_ranks(ranks));
    EXPECT_EQ(result.status, 0) << result.err;
    return texts_of(caches);
  }
  static Texts texts_of(const std::string& caches) {
    Texts texts;
    for (const Sample& sample : read_samples(folder_of(caches) / "texts.jsonl")) {
      EXPECT_TRUE(texts.emplace(sample.question_id, sample.ids).second) << sample.question_id;
    }
    EXPECT_EQ(texts.size(), static_cast<std::size_t>(TinyProject::kEvalQuestions));
    return texts;
  }

  static std::unique_ptr<TinyProject> project_;
};

std::unique_ptr<TinyProject> Written::project_;

TEST_F(Written, TheSameTokensOnEveryLayout) {
  for (const bool sampled : {false, true}) {
    const Words options = sampled ? kSampled : Words();
    const std::string name = sampled ? "sampled" : "greedy";
    const Texts alone = precompute(name, 0, options);
    for (const auto& [id, ids] : alone) EXPECT_LE(ids.size(), 12U) << id;
    for (const auto& [ranks, tp] : {std::pair(2, "1"), std::pair(3, "1"), std::pair(2, "2")}) {
      SCOPED_TRACE(name + " " + std::to_string(ranks) + " ranks, tp " + tp);
      Words more = options;
      more.insert(more.end(), {"--parallel.tp", tp});
      EXPECT_EQ(precompute(name + std::to_string(ranks) + tp, ranks, more), alone);
    }
  }
  EXPECT_NE(texts_of("sampled"), texts_of("greedy"));
}

TEST_F(Written, KilledAndGoneOnTheSame) {
  const Texts expected = precompute("whole", 0, kSampled);
  const auto lines = [] {
    std::size_t count = 0;
    for (const std::string& name : names_below(folder_of("killed"))) {
      if (!name.ends_with(".jsonl")) continue;
      count += lines_with(slurp(folder_of("killed") / name), "question_id").size();
    }
    return count;
  };
  std::size_t kept = 0;
  for (const auto& [ranks, until] : {std::pair(0, 2U), std::pair(2, 5U)}) {
    // Row by row, so that there is something to kill between.
    Words slow = kSampled;
    slow.insert(slow.end(), {"--evaluate.batch", "1"});
    Job job(call("precompute", "killed", slow), on_ranks(ranks));
    ASSERT_TRUE(wait_until([&] { return lines() >= until || !job.running(); }));
    job.kill_all();
    job.wait();
    EXPECT_GE(lines(), kept);
    kept = lines();
  }
  std::cout << kept << " texts were kept over two kills\n";
  EXPECT_EQ(precompute("killed", 3, kSampled), expected);
  // Nothing is left to do: what is there is read.
  const auto bytes = slurp(folder_of("killed") / "texts.jsonl");
  const ChildResult again = run_softcot(call("precompute", "killed", kSampled), on_ranks(2));
  EXPECT_EQ(again.status, 0);
  EXPECT_THAT(again.err, Not(HasSubstr("the assistant writes")));
  EXPECT_EQ(slurp(folder_of("killed") / "texts.jsonl"), bytes);
}

TEST_F(Written, StandsInThePreviewOnceItIsThere) {
  const Words eval = {"--eval", "--rows", "1"};
  const ChildResult before = run_softcot(call("preview", "shown", eval));
  ASSERT_EQ(before.status, 0) << before.err;
  EXPECT_THAT(before.out, HasSubstr("In 12 tokens, say what matters in: Tom has 1000 pens"));
  EXPECT_THAT(before.out, HasSubstr("nothing yet; softcot precompute makes it"));
  EXPECT_FALSE(std::filesystem::exists(project_->path("shown")));
  precompute("shown", 0);
  const ChildResult after = run_softcot(call("preview", "shown", eval));
  EXPECT_THAT(after.out, HasSubstr("Somebody wrote: "));
  EXPECT_THAT(after.out, Not(HasSubstr("nothing yet")));
  const ChildResult inspected = run_softcot({"inspect", folder_of("shown"), "--verify"});
  ASSERT_EQ(inspected.status, 0) << inspected.err;
  EXPECT_THAT(inspected.out, HasSubstr("10 texts"));
  EXPECT_THAT(inspected.out, HasSubstr("prompt_hash"));
}

TEST_F(Written, IsWrittenAnewForAnythingThatDecidesIt) {
  precompute("keys", 0);
  std::string prompts = slurp(project_->path("prompts.txt"));
  prompts.replace(prompts.find("say what matters"), 3, "tell");
  spill(project_->path("other.txt"), prompts);
  std::size_t folders = 1;
  for (const Words& change :
       {Words{"--thoughts.count", "7"}, Words{"--prompts.file", project_->path("other.txt")},
        Words{"--thoughts.written-temperature", "0.5"},
        Words{"--thoughts.written-temperature", "0.5", "--evaluate.seed", "3"},
        Words{"--assistant.layers", "1"}, Words{"--data.eval-limit", "3"}}) {
    const ChildResult result = run_softcot(call("precompute", "keys", change));
    ASSERT_EQ(result.status, 0) << result.err;
    ++folders;
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(project_->path("keys"))) {
      if (entry.path().filename().string().starts_with("written-")) ++found;
    }
    EXPECT_EQ(found, folders) << change[0];
  }
}

TEST_F(Written, ADamagedLineIsRefusedAndATornOneIsWrittenAgain) {
  const Texts expected = precompute("damaged", 0);
  const auto file = folder_of("damaged") / "texts.jsonl";
  const std::string whole = slurp(file);
  spill(file, whole.substr(0, whole.size() - 9));
  EXPECT_EQ(precompute("damaged", 0), expected);
  std::string broken = whole;
  broken.replace(broken.find("question_id"), 4, "\xff\xff{{");
  spill(file, broken);
  expect_refused(call("precompute", "damaged"), 3, {"texts.jsonl:2"});
}

TEST_F(Written, OneJobWritesAtATime) {
  precompute("locked", 0);
  const auto folder = folder_of("locked");
  auto lock = std::make_unique<CacheLock>(folder);
  precompute("locked", 0);  // Nothing to write, nothing to wait for.
  std::filesystem::remove(folder / "texts.jsonl");
  Job waiting(call("precompute", "locked"));
  ASSERT_TRUE(wait_until([&] { return !lines_with(waiting.err(), kWaitingForCache).empty(); }));
  EXPECT_THAT(lines_with(waiting.err(), kWaitingForCache)[0],
              AllOf(HasSubstr(folder.filename()), HasSubstr(std::to_string(getpid()))));
  lock.reset();
  EXPECT_EQ(waiting.wait().status, 0);
}

TEST_F(Written, EntersTheEvaluation) {
  precompute("evaluated", 0);
  const ChildResult result = run_softcot(call(
      "evaluate", "evaluated", {"--run.folder", project_->path("run"), "--max-new-tokens", "4"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Zero-shot Assist-CoT"));
  // Other words, other samples: those that are there belong to the words they were made from.
  auto file = folder_of("evaluated") / "texts.jsonl";
  std::string texts = without_seals(slurp(file));
  const auto at = texts.find("\"text\":\"") + 8;
  texts.insert(at, "z");
  spill(file, texts);
  const auto run = project_->path("run");
  const auto before = slurp(run / "samples/zero_shot_assist_cot.jsonl");
  const ChildResult other =
      run_softcot(call("evaluate", "evaluated", {"--run.folder", run, "--max-new-tokens", "4"}));
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("kept in " + (run / "set-aside-1").string()));
  EXPECT_EQ(slurp(run / "set-aside-1/samples/zero_shot_assist_cot.jsonl"), before);
  EXPECT_NE(slurp(run / "samples/zero_shot_assist_cot.jsonl"), before);
}

}  // namespace
}  // namespace softcot::test
