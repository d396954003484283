#include <ATen/core/grad_mode.h>

// Soft thoughts in the cache are those of the model, whoever wrote them and however often the
// writers were killed.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>
#include <span>
#include <thread>

#include "data/benchmark.h"
#include "data/cache_lock.h"
#include "data/prompt.h"
#include "data/thought_cache_reader.h"
#include "model/transformer.h"
#include "support/job.h"
#include "support/tensors.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/world.h"
#include "trainer/precompute.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kRows = 300;  // Five blocks of 64.
constexpr int kBlocks = 5;

/// What a cache holds.
struct Content {
  at::Tensor thoughts;  ///< [R, N, A]
  std::vector<std::uint64_t> row_ids;
};

Content content_of(const std::filesystem::path& folder) {
  ThoughtCache cache = ThoughtCache::inspect(folder);
  std::vector<std::int64_t> all(static_cast<std::size_t>(cache.rows()));
  std::iota(all.begin(), all.end(), 0);
  Content content{at::empty({cache.rows(), cache.thoughts(), cache.width()}), {}};
  cache.read(all, std::span(content.thoughts.mutable_data_ptr<float>(),
                            static_cast<std::size_t>(content.thoughts.numel())));
  for (const std::int64_t row : all) content.row_ids.push_back(cache.row_id(row));
  return content;
}

class Precompute : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    write_questions(project_->path("many.jsonl"), 1, kRows);
    const ChildResult result = run_softcot(call("alone"));
    ASSERT_EQ(result.status, 0) << result.err;
    expected_ = content_of(cache_of("alone"));
  }
  static void TearDownTestSuite() {
    expected_ = {};
    project_.reset();
  }

  /// Precomputes the long file alone, into a folder of caches of its own.
  static std::vector<std::string> call(const std::string& caches,
                                       const std::vector<std::string>& options = {}) {
    std::vector<std::string> all = {"--data.file", project_->path("many.jsonl"),
                                    "--data.eval-file=", "--thoughts.cache",
                                    project_->path(caches)};
    all.insert(all.end(), options.begin(), options.end());
    return project_->call("precompute", all);
  }
  /// The one cache in a folder of caches; an empty path while there is none.
  static std::filesystem::path cache_of(const std::string& caches) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(project_->path(caches), none)) {
      return entry.path();
    }
    return {};
  }
  static std::vector<std::filesystem::path> blocks_of(const std::string& caches) {
    std::vector<std::filesystem::path> blocks;
    const auto cache = cache_of(caches);
    if (cache.empty()) return blocks;
    for (const std::string& name : names_below(cache)) {
      if (name.starts_with("block-") && name.ends_with(".h5")) blocks.push_back(cache / name);
    }
    return blocks;
  }
  static std::map<std::filesystem::path, std::filesystem::file_time_type> times_of(
      const std::string& caches) {
    std::map<std::filesystem::path, std::filesystem::file_time_type> times;
    for (const auto& block : blocks_of(caches)) {
      times[block] = std::filesystem::last_write_time(block);
    }
    return times;
  }

  static void expect_same_content(const std::string& caches) {
    const Content got = content_of(cache_of(caches));
    EXPECT_EQ(got.row_ids, expected_.row_ids);
    const double difference = largest_difference(got.thoughts, expected_.thoughts);
    EXPECT_LE(difference, 1e-5);
    std::cout << caches << ": thoughts differ by " << difference << '\n';
    EXPECT_EQ(cache_of(caches).filename(), cache_of("alone").filename());
    EXPECT_EQ(blocks_of(caches).size(), static_cast<std::size_t>(kBlocks));
    EXPECT_EQ(run_softcot({"inspect", cache_of(caches), "--verify"}).status, 0);
  }

  static std::unique_ptr<TinyProject> project_;
  static Content expected_;
};

std::unique_ptr<TinyProject> Precompute::project_;
Content Precompute::expected_;

TEST_F(Precompute, CachedThoughtsAreThoseOfTheModelRowByRow) {
  const at::NoGradGuard no_grad;
  const auto folder = project_->path("assistant");
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const auto prompt = PromptTemplate::load(project_->path("prompts.txt"), ThoughtPrompt::kCounted);
  const Family family = detect_family(tokenizer, read_model_config(folder).model_type);
  ASSERT_EQ(family, Family::kSmollm2);
  const RowBuilder builder(tokenizer, family, prompt);
  const auto groups = ProcessGroups::make(world(), 1);
  const Transformer assistant(folder, {}, *groups.tp);
  std::vector<at::Tensor> direct;
  std::vector<std::uint64_t> ids;
  for (const Record& record : read_benchmark("gsm8k", project_->path("many.jsonl"))) {
    const Row row = builder.assistant_row(record, TinyProject::kThoughts);
    const auto hidden = assistant.forward(assistant.embed(at::tensor(row.ids, at::kLong)),
                                          {{.tokens = row.length(), .past = {}, .own = {}}});
    direct.push_back(hidden.narrow(0, row.thoughts.begin, row.thoughts.count));
    ids.push_back(row_key(record.id));
  }
  const auto thoughts = at::stack(direct);
  EXPECT_EQ(expected_.row_ids, ids);
  const double difference = largest_difference(expected_.thoughts, thoughts);
  EXPECT_LE(difference, 1e-5);
  // Rows differ, so that exchanged rows would be seen.
  EXPECT_GT(largest_difference(thoughts[0], thoughts[1]), 0.1);
  EXPECT_GT(largest_difference(thoughts[0][0], thoughts[0][3]), 0.1);
  std::cout << kRows << " rows: cached and direct thoughts differ by " << difference << '\n';
}

TEST_F(Precompute, AnyNumberOfRanksWritesTheSameCache) {
  for (const auto& [ranks, tp] : {std::pair(2, 1), std::pair(3, 1), std::pair(4, 2)}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks, tp " + std::to_string(tp));
    const std::string caches = "caches-" + std::to_string(ranks);
    const ChildResult result =
        run_softcot(call(caches, {"--parallel.tp", std::to_string(tp)}), on_ranks(ranks));
    ASSERT_EQ(result.status, 0) << result.err;
    expect_same_content(caches);
  }
}

TEST_F(Precompute, AKilledJobGoesOnAndRedoesOnlyWhatIsMissing) {
  for (const auto& [ranks, point] :
       {std::pair(0, "atomic-file.opened#2"), std::pair(0, "atomic-file.written#4"),
        std::pair(0, "atomic-file.renamed#3"), std::pair(2, "atomic-file.synced#2")}) {
    SCOPED_TRACE(point);
    std::string caches = "killed-" + std::to_string(ranks) + point;
    std::replace(caches.begin(), caches.end(), '#', '-');  // begins a comment in a config file
    const ChildResult killed = run_softcot(
        call(caches),
        {.ranks = ranks, .environment = {{"SOFTCOT_CRASH_AT", point}}, .file_size_limit = {}});
    ASSERT_NE(killed.status, 0);
    const auto before = times_of(caches);
    EXPECT_LT(before.size(), static_cast<std::size_t>(kBlocks));
    EXPECT_GT(before.size(), 0U);
    const ChildResult result = run_softcot(call(caches));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.err,
                HasSubstr(std::to_string(before.size()) + " of 5 blocks are there already"));
    for (const auto& [block, time] : before) {
      EXPECT_EQ(std::filesystem::last_write_time(block), time) << block;
    }
    expect_same_content(caches);
  }
}

TEST_F(Precompute, AllRanksKilledFromOutside) {
  // Killed when so many blocks are there, with other numbers of ranks each time.
  const std::string caches = "outside";
  std::size_t kept = 0;
  for (const auto& [ranks, until] : {std::pair(2, 1U), std::pair(0, 2U), std::pair(3, 4U)}) {
    Job job(call(caches), on_ranks(ranks));
    ASSERT_TRUE(wait_until([&] { return blocks_of(caches).size() >= until || !job.running(); }));
    job.kill_all();
    EXPECT_GE(blocks_of(caches).size(), kept);
    kept = blocks_of(caches).size();
  }
  const ChildResult result = run_softcot(call(caches), on_ranks(2));
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_content(caches);
  for (const std::string& name : names_below(cache_of(caches))) {
    EXPECT_FALSE(name.ends_with(".tmp")) << name;
  }
}

TEST_F(Precompute, AFinishedCacheIsNotWrittenAgain) {
  const auto before = times_of("alone");
  const ChildResult result = run_softcot(call("alone"), on_ranks(2));
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.err, HasSubstr("complete, nothing to do"));
  EXPECT_EQ(times_of("alone"), before);
}

TEST_F(Precompute, ASecondJobWaitsAndSaysForWhom) {
  const std::string caches = "shared";
  Job first(call(caches));
  ASSERT_TRUE(wait_until([&] { return !blocks_of(caches).empty() || !first.running(); }));
  kill(first.launcher(), SIGSTOP);
  ASSERT_TRUE(first.running()) << "it was done too soon";
  std::string host(256, '\0');
  ASSERT_EQ(gethostname(host.data(), host.size()), 0);
  host.resize(host.find('\0'));
  // Patience among the ranks of a job is not patience with another job.
  Job second(call(caches, {"--parallel.timeout-seconds", "3"}), on_ranks(2));
  ASSERT_TRUE(wait_until([&] { return !lines_with(second.err(), kWaitingForCache).empty(); }));
  EXPECT_THAT(lines_with(second.err(), kWaitingForCache),
              ElementsAre(AllOf(HasSubstr(host + "/" + std::to_string(first.launcher())),
                                HasSubstr(" of 5 blocks are there"))));
  std::this_thread::sleep_for(std::chrono::seconds(5));
  EXPECT_TRUE(second.running());
  kill(first.launcher(), SIGCONT);
  EXPECT_EQ(first.wait().status, 0);
  const ChildResult waited = second.wait();
  EXPECT_EQ(waited.status, 0) << waited.err;
  EXPECT_THAT(waited.err, HasSubstr("complete, nothing to do"));
  expect_same_content(caches);
}

}  // namespace
}  // namespace softcot::test
