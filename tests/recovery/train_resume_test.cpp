// Training that is killed, stopped or moved to other ranks goes on to the same numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <iostream>
#include <memory>
#include <numeric>
#include <tuple>

#include "runtime/random.h"
#include "support/event_files.h"
#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/train_outcome.h"

namespace softcot::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSteps = 12;           // Of the configuration of TinyProject,
constexpr int kCheckpointEvery = 4;  // as is this.
constexpr int kKilled = 128 + SIGKILL;

struct Layout {
  int ranks;  // 0: without mpirun.
  int tp;
};

class TrainResume : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    project_->precompute();
  }
  static void TearDownTestSuite() {
    whole_.clear();
    project_.reset();
  }

  static std::string new_run() { return "run" + std::to_string(++runs_); }
  static std::filesystem::path checkpoint(const std::string& run, int step) {
    return checkpoint_folder(project_->path(run), step);
  }

  static std::vector<std::string> train_call(const std::string& run, const Layout& layout,
                                             std::vector<std::string> options = {}) {
    options.insert(options.end(), {"--parallel.tp", std::to_string(layout.tp)});
    return project_->call_in(run, "train", options);
  }
  static ChildResult train(const std::string& run, const Layout& layout,
                           const std::vector<std::string>& options = {},
                           const std::string& crash_at = "") {
    JobOptions job = on_ranks(layout.ranks);
    if (!crash_at.empty()) job.environment["SOFTCOT_CRASH_AT"] = crash_at;
    return run_softcot(train_call(run, layout, options), job);
  }
  static void finish(const std::string& run, const Layout& layout) {
    ASSERT_EQ(train(run, layout, {"--resume"}).status, 0);
  }
  static std::string crash_after(int steps) { return "train.step#" + std::to_string(steps); }

  static TrainOutcome outcome_of(const std::string& run) {
    // TensorBoard is shown each step once, whatever became of the run.
    std::vector<std::int64_t> shown;
    for (const EventScalar& scalar : event_scalars(project_->path(run) / "tensorboard")) {
      if (scalar.tag == "train/loss") shown.push_back(scalar.step);
    }
    std::vector<std::int64_t> steps(kSteps);
    std::iota(steps.begin(), steps.end(), 1);
    EXPECT_EQ(shown, steps);
    return train_outcome(project_->path(run), kSteps);
  }

  /// Of a run that nobody disturbed; made once for each layout.
  static const TrainOutcome& whole(const Layout& layout) {
    const auto key = std::make_pair(layout.ranks, layout.tp);
    if (const auto made = whole_.find(key); made != whole_.end()) return made->second;
    const std::string run = new_run();
    const ChildResult result = train(run, layout);
    EXPECT_EQ(result.status, 0) << result.err;
    return whole_[key] = outcome_of(run);
  }

  static void expect_as_undisturbed(const std::string& run, const Layout& layout) {
    expect_equal(outcome_of(run), whole(layout));
  }

  static std::unique_ptr<TinyProject> project_;
  static std::map<std::pair<int, int>, TrainOutcome> whole_;
  static int runs_;
};

std::unique_ptr<TinyProject> TrainResume::project_;
std::map<std::pair<int, int>, TrainOutcome> TrainResume::whole_;
int TrainResume::runs_ = 0;

constexpr Layout kAlone{0, 1};

TEST_F(TrainResume, TheWholeRunLearnsAndRepeats) {
  const TrainOutcome& first = whole(kAlone);
  EXPECT_LT(first.losses.back(), first.losses.front() - 0.3);
  const std::string again = new_run();
  ASSERT_EQ(train(again, kAlone).status, 0);
  expect_as_undisturbed(again, kAlone);
  std::cout << "loss " << first.losses.front() << " → " << first.losses.back() << '\n';
}

TEST_F(TrainResume, AKillAfterAnyStepChangesNothing) {
  for (int step = 1; step < kSteps; ++step) {
    SCOPED_TRACE("killed after step " + std::to_string(step));
    const std::string run = new_run();
    ASSERT_EQ(train(run, kAlone, {}, crash_after(step)).status, kKilled);
    finish(run, kAlone);
    expect_as_undisturbed(run, kAlone);
  }
}

class TrainResumeOnRanks : public TrainResume, public ::testing::WithParamInterface<Layout> {};

TEST_P(TrainResumeOnRanks, KilledAgainAndAgain) {
  const Layout layout = GetParam();
  RandomStream random(static_cast<std::uint64_t>(10 * layout.ranks + layout.tp),
                      RandomPurpose::kTest);
  const std::string run = new_run();
  const auto first = static_cast<int>(1 + random.below(kCheckpointEvery + 3));
  EXPECT_NE(train(run, layout, {}, crash_after(first)).status, 0);
  const int from = first / kCheckpointEvery * kCheckpointEvery;
  const auto second =
      static_cast<int>(1 + random.below(static_cast<std::uint64_t>(kSteps - from - 1)));
  EXPECT_NE(train(run, layout, {"--resume"}, crash_after(second)).status, 0);
  EXPECT_FALSE(std::filesystem::exists(checkpoint(run, kSteps)));
  finish(run, layout);
  expect_as_undisturbed(run, layout);
  std::cout << layout.ranks << " ranks, tp " << layout.tp << ": killed after steps " << first
            << " and " << from + second << '\n';
}

TEST_P(TrainResumeOnRanks, StopsOnRequestAtOneStep) {
  const Layout layout = GetParam();
  const std::string run = new_run();
  Job job(train_call(run, layout), on_ranks(layout.ranks));
  // All ranks listen for signals by then, and the model is not even read.
  ASSERT_TRUE(wait_until([&] { return job.err().find(": dp ") != std::string::npos; }));
  const pid_t last = layout.ranks == 0 ? job.launcher() : job.rank(layout.ranks - 1).value_or(-1);
  ASSERT_GT(last, 0);
  ASSERT_EQ(kill(last, SIGTERM), 0);
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_THAT(lines_with(result.err, "error["), ElementsAre());
  EXPECT_THAT(result.err, HasSubstr("on request, checkpoint saved"));
  EXPECT_EQ(names_below(project_->path(run) / "checkpoints").size(), 4U) << "one folder, 3 files";
  finish(run, layout);
  expect_as_undisturbed(run, layout);
}

INSTANTIATE_TEST_SUITE_P(Layouts, TrainResumeOnRanks,
                         ::testing::Values(kAlone, Layout{2, 1}, Layout{2, 2}, Layout{4, 2}));

// SIGTERM instead would make mpirun itself end the ranks.
TEST_F(TrainResume, TheLauncherHandsSigusr1OnToAllRanks) {
  const Layout layout{2, 1};
  const std::string run = new_run();
  Job job(train_call(run, layout), on_ranks(layout.ranks));
  ASSERT_TRUE(wait_until([&] { return job.err().find(": dp ") != std::string::npos; }));
  ASSERT_EQ(kill(job.launcher(), SIGUSR1), 0);
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_EQ(names_below(project_->path(run) / "checkpoints").size(), 4U) << result.err;
  finish(run, layout);
  expect_as_undisturbed(run, layout);
}

TEST_F(TrainResume, AllRanksKilledFromOutside) {
  const Layout layout{2, 1};
  bool disturbed = false;
  for (int attempt = 0; attempt < 5 && !disturbed; ++attempt) {
    const std::string run = new_run();
    Job job(train_call(run, layout), on_ranks(2));
    const auto metrics = project_->path(run) / "metrics.jsonl";
    ASSERT_TRUE(wait_until(
        [&] { return lines_with(slurp(metrics), "loss").size() > 2 || !job.running(); }));
    job.kill_all();
    disturbed = !std::filesystem::exists(checkpoint(run, kSteps));
    finish(run, layout);
    expect_as_undisturbed(run, layout);
  }
  EXPECT_TRUE(disturbed) << "every job was done before its kill";
}

TEST_F(TrainResume, AKillWhileSavingChangesNothing) {
  // In the second save of three; and after the last, when there is nothing more to train.
  for (const std::string point :
       {"checkpoint.start#2", "checkpoint.folder-made#2", "checkpoint.tensors-written#2",
        "checkpoint.json-written#2", "checkpoint.done-written#2", "checkpoint.renamed#2",
        "checkpoint.end#2", "retention.hidden#2", "atomic-file.opened#2", "atomic-file.written#2",
        "atomic-file.synced#2", "atomic-file.renamed#2", "checkpoint.end#3"}) {
    SCOPED_TRACE(point);
    const std::string run = new_run();
    ASSERT_EQ(train(run, kAlone, {"--train.keep", "1"}, point).status, kKilled);
    ASSERT_EQ(train(run, kAlone, {"--train.keep", "1", "--resume"}).status, 0);
    expect_as_undisturbed(run, kAlone);
    EXPECT_EQ(names_below(project_->path(run) / "checkpoints").size(), 4U) << "nothing is left";
  }
}

TEST_F(TrainResume, AWriterThatDiesAmongRanksChangesNothing) {
  const Layout layout{2, 2};
  const std::string run = new_run();
  EXPECT_NE(train(run, layout, {}, "checkpoint.done-written#2").status, 0);
  EXPECT_TRUE(std::filesystem::exists(checkpoint(run, 4)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint(run, 8)));
  finish(run, layout);
  expect_as_undisturbed(run, layout);
}

TEST_F(TrainResume, OtherNumbersOfReplicasSeeTheSameRows) {
  const std::string run = new_run();
  ASSERT_NE(train(run, {2, 1}, {}, crash_after(5)).status, 0);
  ASSERT_NE(train(run, {4, 1}, {"--resume"}, crash_after(5)).status, 0);
  finish(run, kAlone);
  const TrainOutcome& expected = whole(kAlone);
  const TrainOutcome got = outcome_of(run);
  EXPECT_EQ(got.targets, expected.targets);  // Rows differ in length: the same ones, in order.
  EXPECT_GT(std::set(got.targets.begin(), got.targets.end()).size(), 3U);
  double largest = 0;
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    largest = std::max(largest, std::abs(got.losses[i] / expected.losses[i] - 1));
  }
  EXPECT_LT(largest, 1e-5);
  std::cout << "2 → 4 → 1 replicas: losses differ by " << largest << " relative\n";
}

TEST_F(TrainResume, AnotherRunIsRefusedAndNothingChanges) {
  const std::string run = new_run();
  ASSERT_EQ(train(run, kAlone, {}, crash_after(6)).status, kKilled);
  const auto folder = project_->path(run);
  const auto held = [&] {
    return std::tuple(slurp(folder / "metrics.jsonl"), slurp(folder / "config.cfg"),
                      names_below(folder));
  };
  const auto before = held();
  const std::vector<std::pair<std::vector<std::string>, std::string>> others = {
      {{"--train.learning-rate", "0.01"}, "train.learning_rate"},
      {{"--train.batch", "6"}, "train.batch"},
      {{"--train.seed", "42"}, "train.seed"},
      {{"--model", project_->path("assistant")}, "backbone.hash"}};
  for (const auto& [options, field] : others) {
    std::vector<std::string> all = options;
    all.emplace_back("--resume");
    expect_refused(train_call(run, kAlone, all), 5, {field});
    EXPECT_EQ(held(), before);
  }
  finish(run, kAlone);
  expect_as_undisturbed(run, kAlone);
}

TEST_F(TrainResume, ANewTrainingInAnUsedFolderIsRefused) {
  const std::string run = new_run();
  ASSERT_EQ(train(run, kAlone, {}, crash_after(6)).status, kKilled);
  const std::string before = slurp(project_->path(run) / "metrics.jsonl");
  expect_refused(train_call(run, kAlone), 2, {"a training has been here", "step 4", "--resume"});
  EXPECT_EQ(slurp(project_->path(run) / "metrics.jsonl"), before);
}

TEST_F(TrainResume, ADamagedCheckpointIsPassedOver) {
  const std::string run = new_run();
  ASSERT_EQ(train(run, kAlone, {}, crash_after(11)).status, kKilled);
  const auto state = checkpoint(run, 8) / "state.safetensors";
  std::string bytes = slurp(state);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  spill(state, bytes);
  const ChildResult result = train(run, kAlone, {"--resume"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("checkpoint of step 8 is passed over"));
  EXPECT_THAT(result.err, HasSubstr("resumed at step 4 of 12"));
  expect_as_undisturbed(run, kAlone);
}

}  // namespace
}  // namespace softcot::test
