// What the system around a job may do to it: no locks, a clock that goes back, few open files, odd
// paths, closed streams, signals at the wrong moment, ranks that stop or die.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <iostream>

#include "support/child_process.h"
#include "support/files.h"
#include "support/job.h"
#include "support/train_outcome.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kSteps = 12;  // Of TinyProject's configuration.

class SystemFaults : public ::testing::Test {
 protected:
  static std::filesystem::path run(const std::string& name) { return trained_project().path(name); }
  static std::vector<std::string> train(const std::string& name,
                                        std::vector<std::string> more = {}) {
    more.emplace_back("--resume");
    return trained_project().call_in(name, "train", more);
  }
  /// The run "trained" is the undisturbed one.
  static void expect_as_undisturbed(const std::string& name) {
    expect_equal(train_outcome(run(name), kSteps), train_outcome(run("trained"), kSteps));
    EXPECT_THAT(leftovers_below(run(name)), IsEmpty());
  }
  static JobOptions on_disk(const std::string& fault, const std::string& name) {
    JobOptions options;
    options.environment = {{"LD_PRELOAD", SOFTCOT_DISK_STAND_IN},
                           {"SOFTCOT_TEST_DISK", fault + ":" + run(name).string()}};
    return options;
  }
};

TEST_F(SystemFaults, WithoutLocksItWorksAndSaysSo) {
  const ChildResult result = run_softcot(train("no-locks"), on_disk("lock#1+:37", "no-locks"));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("this file system has no locks"));
  expect_as_undisturbed("no-locks");
}

TEST_F(SystemFaults, AClockThatIsSetBackChangesNothing) {
  JobOptions options;
  options.environment = {{"LD_PRELOAD", SOFTCOT_CLOCK_STAND_IN},
                         {"SOFTCOT_TEST_CLOCK_CALLS", "20"}};
  const ChildResult result = run_softcot(train("clock", {"--max-minutes", "30"}), options);
  EXPECT_EQ(result.status, 0) << result.err;
  expect_as_undisturbed("clock");
}

TEST_F(SystemFaults, OddPlacesAndFewHandlesAreNoMatter) {
  const TemporaryFolder place;
  const auto folder = place.path() / "Prüfung 思考 mit Leerzeichen";
  std::filesystem::create_directories(folder);
  make_tiny_project(folder, TinyProject::kTrainQuestions, TinyProject::kEvalQuestions);
  const std::string program = std::string("'") + SOFTCOT_PROGRAM + "'";
  const std::string common = " --config project.cfg --thoughts.cache 'die Gedanken' ";
  // HOME unset, a locale with a decimal comma, 64 handles, and then no standard streams at all.
  const ChildResult result =
      run_child({"bash", "-c",
                 "unset HOME; export LC_ALL=de_DE.UTF-8 OMP_NUM_THREADS=1; ulimit -n 64; cd '" +
                     folder.string() + "' && " + program + " precompute" + common + "&& " +
                     program + " train" + common + "--run.folder 'der Lauf' <&- >&- 2>&- && " +
                     program + " evaluate" + common + "--run.folder 'der Lauf' && " + program +
                     " report 'der Lauf' --out 'der Bericht' && " + program +
                     " inspect 'der Lauf' --verify"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("every byte"));
  const TrainOutcome got = train_outcome(folder / "der Lauf", kSteps);
  EXPECT_EQ(got.losses, train_outcome(run("trained"), kSteps).losses);
}

TEST_F(SystemFaults, SignalsInTheMiddleOfASaveWait) {
  JobOptions slow = on_disk("any#1+:slow 100", "signals");
  Job job(train("signals", {"--train.checkpoint-every", "1"}), slow);
  const auto checkpoints = run("signals") / "checkpoints";
  ASSERT_TRUE(wait_until([&] { return !leftovers_below(checkpoints).empty() || !job.running(); }));
  for (const int signal : {SIGTERM, SIGUSR1, SIGTERM, SIGINT}) kill(job.launcher(), signal);
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_THAT(leftovers_below(checkpoints), IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("on request, checkpoint saved"));
  ASSERT_EQ(run_softcot(train("signals")).status, 0);
  EXPECT_EQ(train_outcome(run("signals"), kSteps).losses,
            train_outcome(run("trained"), kSteps).losses);
}

TEST_F(SystemFaults, SignalsToAllRanksMakeOneCheckpoint) {
  Job job(train("all-ranks"), on_ranks(2));
  ASSERT_TRUE(wait_until([&] { return job.err().find("ranks: dp") != std::string::npos; }));
  for (int round = 0; round < 2; ++round) {
    for (const int rank : {0, 1}) {
      if (const auto process = job.rank(rank)) kill(*process, SIGTERM);
    }
  }
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_EQ(names_below(run("all-ranks") / "checkpoints").size(), 4U) << "one folder, 3 files";
}

/// Disturbs rank 1 of 2 once `begun` says so.
ChildResult disturb_a_rank(const std::vector<std::string>& call, int signal,
                           const std::function<bool(Job&)>& begun) {
  Job job(call, on_ranks(2));
  EXPECT_TRUE(wait_until([&] { return begun(job) || !job.running(); }));
  const auto process = job.rank(1);
  EXPECT_TRUE(process) << job.err();
  if (process) kill(*process, signal);
  return job.wait(std::chrono::seconds(60));
}

TEST_F(SystemFaults, AStoppedRankIsNamedWithinTheDeadline) {
  const ChildResult result = disturb_a_rank(
      train("stopped", {"--train.steps", "100000", "--parallel.timeout-seconds", "3"}), SIGSTOP,
      [](Job&) { return lines_with(slurp(run("stopped") / "metrics.jsonl"), "loss").size() > 2; });
  EXPECT_EQ(result.status, 8) << result.err;
  const auto errors = lines_with(result.err, "error[8]");
  ASSERT_EQ(errors.size(), 1U) << result.err;
  EXPECT_THAT(errors[0],
              AllOf(HasSubstr("timed out"), HasSubstr("missing: rank 1 (does not answer)")));
  std::cout << errors[0] << '\n';
}

TEST_F(SystemFaults, AKilledRankEndsAllAndNothingIsLost) {
  const ChildResult result = disturb_a_rank(
      train("killed", {"--train.steps", "100000", "--train.schedule", "constant"}), SIGKILL,
      [](Job&) { return std::filesystem::exists(run("killed") / "checkpoints/step-00000004"); });
  EXPECT_NE(result.status, 0) << result.err;
  const ChildResult again =
      run_softcot(train("killed", {"--train.steps", "100000", "--train.schedule", "constant",
                                   "--max-minutes", "0.00001"}),
                  on_ranks(2));
  EXPECT_EQ(again.status, 75) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed at step "));
}

TEST_F(SystemFaults, ARankKilledWhileItWritesAnswersLosesNone) {
  const Victim victim(trained_project(), Victim::Kind::kEvaluate);
  const TemporaryFolder place;
  const auto folder = place.path() / "victim";
  victim.prepare(folder);
  ASSERT_EQ(run_softcot(victim.call(folder), on_ranks(2)).status, 0);
  const Outcome whole = victim.outcome(folder);
  victim.prepare(folder);
  const auto part = folder / "run/samples/zero_shot_cot.part-1.jsonl";
  const ChildResult result = disturb_a_rank(victim.call(folder), SIGKILL, [&](Job&) {
    return !lines_with(slurp(part), "question_id").empty();
  });
  EXPECT_NE(result.status, 0) << result.err;
  EXPECT_EQ(run_softcot(victim.call(folder), on_ranks(2)).status, 0);
  EXPECT_EQ(victim.outcome(folder), whole);
}

TEST_F(SystemFaults, AFullDiskOfItsOwn) {
  const TemporaryFolder place;
  if (mount("none", place.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "a small file system needs the right to mount one";
  }
  const ChildResult full = run_softcot(
      trained_project().call("train", {"--run.folder", place.path() / "run", "--resume"}));
  EXPECT_EQ(full.status, 6) << full.err;
  EXPECT_THAT(full.err,
              AllOf(HasSubstr("no space left to write"), HasSubstr(place.path().string())));
  EXPECT_THAT(leftovers_below(place.path()), IsEmpty());
  EXPECT_EQ(mount("none", place.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  const ChildResult again = run_softcot(
      trained_project().call("train", {"--run.folder", place.path() / "run", "--resume"}));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(train_outcome(place.path() / "run", kSteps).state,
            train_outcome(run("trained"), kSteps).state);
  umount(place.path().c_str());
}

TEST_F(SystemFaults, AReaderMayLookWhileATrainingWrites) {
  // Of fewer questions the cache is another.
  ASSERT_EQ(run_softcot(trained_project().call("precompute", {"--data.eval-limit", "2"})).status,
            0);
  Job job(train("watched", {"--train.steps", "100000", "--train.checkpoint-every", "1"}));
  ASSERT_TRUE(wait_until([&] {
    return std::filesystem::exists(run("watched") / "checkpoints/step-00000002") || !job.running();
  }));
  for (const char* reader : {"reader", "again"}) {
    const ChildResult read = run_softcot(trained_project().call_in(
        reader, "evaluate", {"--evaluate.trained", run("watched"), "--data.eval-limit", "2"}));
    EXPECT_EQ(read.status, 0) << read.err;
  }
  expect_refused(train("watched"), 2, {"run folder is in use", "held by host", "process"});
  expect_refused({"inspect", run("watched"), "--repair"}, 2,
                 {"run folder is in use", "held by host"});
  job.kill_all();
}

}  // namespace
}  // namespace softcot::test
