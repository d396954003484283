// What may befall one rank among others: killed, stopped, late, without memory or disk, started
// with something else; and signals to one or all. The others leave in time, and the run goes on.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <sstream>
#include <thread>

#include "support/disturbed_training.h"
#include "support/files.h"
#include "support/tiny_model.h"
#include "support/train_outcome.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RankFaults : public DisturbedTraining {
 protected:
  static bool has_steps(const std::string& name, std::size_t count) {
    return lines_with(slurp(run(name) / "metrics.jsonl"), "loss").size() >= count;
  }

  /// A program that runs softcot, and on rank 1 does `first` before.
  std::string on_rank_1(const std::string& first) const {
    const auto script = place_.path() / "program.sh";
    spill(script, "#!/bin/sh\nif [ \"$OMPI_COMM_WORLD_RANK\" = 1 ]; then " + first +
                      "; fi\nexec \"$SOFTCOT\" \"$@\"\n");
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    return script;
  }
  static JobOptions two_ranks_as(const std::string& program) {
    JobOptions options = on_ranks(2);
    options.program = program;
    options.environment = {{"SOFTCOT", SOFTCOT_PROGRAM}};
    return options;
  }

  TemporaryFolder place_;
};

/// Disturbs rank 1 of 2 once `begun` says so.
ChildResult disturb_a_rank(const std::vector<std::string>& call, int signal,
                           const std::function<bool()>& begun, const JobOptions& options) {
  Job job(call, options);
  EXPECT_TRUE(wait_until([&] { return begun() || !job.running(); }));
  const auto process = job.rank(1);
  EXPECT_TRUE(process) << job.err();
  if (process) kill(*process, signal);
  return job.wait(std::chrono::seconds(60));
}

TEST_F(RankFaults, AStoppedRankIsNamedWithinTheDeadline) {
  steady_clock::time_point stopped;
  const ChildResult result = disturb_a_rank(
      train("stopped", {"--parallel.timeout-seconds", "3", "--train.steps", "100000"}), SIGSTOP,
      [&] {
        stopped = steady_clock::now();
        return has_steps("stopped", 3);
      },
      on_ranks(2));
  EXPECT_LT(steady_clock::now() - stopped, std::chrono::seconds(12));
  EXPECT_EQ(result.status, 8) << result.err;
  const auto errors = lines_with(result.err, "error[8]");
  ASSERT_EQ(errors.size(), 1U) << result.err;
  EXPECT_THAT(errors[0], AllOf(ContainsRegex("[a-z_]+ number [0-9]+"), HasSubstr("timed out"),
                               HasSubstr("missing: rank 1 (does not answer)")));
  std::cout << errors[0] << '\n';
}

TEST_F(RankFaults, ALateRankIsWaitedFor) {
  Job job(train("late", {"--parallel.timeout-seconds", "30"}), on_ranks(2));
  ASSERT_TRUE(wait_until([&] { return has_steps("late", 1) || !job.running(); }));
  const auto process = job.rank(1);
  ASSERT_TRUE(process) << job.err();
  kill(*process, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  kill(*process, SIGCONT);
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 0) << result.err;
  expect_like_undisturbed("late");
}

TEST_F(RankFaults, AKilledRankEndsAllAndNothingIsLost) {
  JobOptions slow = on_disk("any#1+:slow 20", "killed");
  slow.ranks = 2;
  const ChildResult result = disturb_a_rank(
      train("killed"), SIGKILL, [] { return has_steps("killed", 6); }, slow);
  EXPECT_NE(result.status, 0) << result.err;
  EXPECT_TRUE(std::filesystem::exists(checkpoint_folder(run("killed"), 4)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint_folder(run("killed"), kSteps)));
  const ChildResult again = run_softcot(train("killed"), on_ranks(2));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed at step "));
  expect_like_undisturbed("killed");
}

TEST_F(RankFaults, ARankKilledWhileItWritesAnswersLosesNone) {
  const Victim victim(trained_project(), Victim::Kind::kEvaluate);
  const auto folder = place_.path() / "victim";
  victim.prepare(folder);
  ASSERT_EQ(run_softcot(victim.call(folder), on_ranks(2)).status, 0);
  const Outcome whole = victim.outcome(folder);
  victim.prepare(folder);
  const auto part = folder / "run/samples/zero_shot_cot.part-1.jsonl";
  const ChildResult result = disturb_a_rank(
      victim.call(folder), SIGKILL, [&] { return !lines_with(slurp(part), "question_id").empty(); },
      on_ranks(2));
  EXPECT_NE(result.status, 0) << result.err;
  EXPECT_EQ(run_softcot(victim.call(folder), on_ranks(2)).status, 0);
  EXPECT_EQ(victim.outcome(folder), whole);
}

TEST_F(RankFaults, AFullDiskOfOneRankEndsAllAtOnce) {
  const auto caches = place_.path() / "caches";
  const std::vector<std::string> call = trained_project().call(
      "precompute", {"--thoughts.cache", caches, "--parallel.timeout-seconds", "60"});
  JobOptions options = two_ranks_as(on_rank_1("export LD_PRELOAD=" SOFTCOT_DISK_STAND_IN));
  options.environment["SOFTCOT_TEST_DISK"] = "write#1+:28:" + caches.string();
  const auto start = steady_clock::now();
  const ChildResult full = run_softcot(call, options);
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_EQ(full.status, 6) << full.err;
  ASSERT_EQ(lines_with(full.err, "error[").size(), 1U) << full.err;
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  EXPECT_EQ(run_softcot(call, on_ranks(2)).status, 0);
  EXPECT_THAT(leftovers_below(caches), IsEmpty());
}

/// Takes all further memory from a process.
void let_it_grow_no_more(pid_t process) {
  std::istringstream text(slurp(fmt::format("/proc/{}/statm", process)));
  rlim_t pages = 0;
  text >> pages;
  const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  const rlimit limit{bytes, bytes};
  EXPECT_EQ(prlimit(process, RLIMIT_AS, &limit, nullptr), 0);
}

TEST_F(RankFaults, OutOfMemoryEndsAllWithItsExitCode) {
  for (const int ranks : {0, 2}) {
    SCOPED_TRACE(ranks);
    const std::string name = fmt::format("memory{}", ranks);
    Job job(train(name, {"--parallel.timeout-seconds", "60"}), on_ranks(ranks));
    // The models are not read yet.
    ASSERT_TRUE(wait_until([&] { return job.err().find(": dp ") != std::string::npos; }));
    const pid_t process = ranks == 0 ? job.launcher() : job.rank(1).value_or(-1);
    ASSERT_GT(process, 0);
    let_it_grow_no_more(process);
    const ChildResult result = job.wait(std::chrono::seconds(30));
    EXPECT_EQ(result.status, 6) << result.err;
    ASSERT_EQ(lines_with(result.err, "error[").size(), 1U) << result.err;
    EXPECT_THAT(result.err, ContainsRegex("error.6. (out of|.*allocate) memory"));
    EXPECT_EQ(run_softcot(train(name), on_ranks(ranks)).status, 0);
    expect_like_undisturbed(name);
  }
}

TEST_F(RankFaults, AnotherOptionOnOneRankIsNamed) {
  const auto options = two_ranks_as(on_rank_1("set -- \"$@\" --train.seed 9"));
  expect_refused(train("other-option"), 2, {"train.seed", "rank 1", "9"}, options);
  EXPECT_FALSE(std::filesystem::exists(run("other-option")));
}

TEST_F(RankFaults, AnotherProgramOnOneRankIsNamed) {
  const auto other = place_.path() / "softcot";
  spill(other, slurp(SOFTCOT_PROGRAM) + "x");
  std::filesystem::permissions(other, std::filesystem::perms::owner_all);
  const auto options = two_ranks_as(on_rank_1("SOFTCOT='" + other.string() + "'"));
  expect_refused(train("other-program"), 2, {"the program's file", "rank 1"}, options);
  EXPECT_FALSE(std::filesystem::exists(run("other-program")));
}

// As on machines with disks of their own.
TEST_F(RankFaults, OtherFilesUnderOnePathAreNamed) {
  const auto other = place_.path() / "other";
  std::filesystem::create_directories(other);
  std::filesystem::copy(trained_project().path("backbone"), other / "backbone");
  std::string weights = slurp(other / "backbone/model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  spill(other / "backbone/model.safetensors", weights);
  const std::string own = trained_project().path("").string();
  const auto options =
      two_ranks_as(on_rank_1("cd '" + other.string() + "'; else cd '" + own + "'"));
  expect_refused(train("other-files", {"--model", "backbone"}), 2,
                 {"what stands in backbone", "rank 1"}, options);
  EXPECT_FALSE(std::filesystem::exists(run("other-files") / "metrics.jsonl"));
}

struct Signals {
  const char* name;
  std::vector<int> signals;  ///< Each to all that are meant, one after the other.
  std::vector<int> ranks;    ///< Those that get them.
  std::vector<std::string> options = {};
};

class SignalsToRanks : public RankFaults, public ::testing::WithParamInterface<Signals> {};

TEST_P(SignalsToRanks, InASaveMakeOneCheckpointAndAnExactResume) {
  const Signals& given = GetParam();
  const std::string name = std::string("signals-") + given.name;
  JobOptions slow = on_disk("any#1+:slow 25", name);
  slow.ranks = 2;
  Job job(train(name, given.options), slow);
  const auto checkpoints = run(name) / "checkpoints";
  ASSERT_TRUE(wait_until([&] { return !leftovers_below(checkpoints).empty() || !job.running(); }));
  for (const int signal : given.signals) {
    for (const int rank : given.ranks) {
      if (const auto process = job.rank(rank)) kill(*process, signal);
    }
  }
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_THAT(result.err, HasSubstr("on request, checkpoint saved"));
  EXPECT_THAT(leftovers_below(checkpoints), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(checkpoint_folder(run(name), kSteps)));
  EXPECT_EQ(run_softcot(train(name, given.options), on_ranks(2)).status, 0);
  expect_like_undisturbed(name);
}

INSTANTIATE_TEST_SUITE_P(
    All, SignalsToRanks,
    ::testing::Values(Signals{"term_one", {SIGTERM}, {1}},
                      Signals{"term_all_twice", {SIGTERM, SIGTERM}, {0, 1}},
                      Signals{"usr1_all", {SIGUSR1}, {0, 1}},
                      Signals{"usr2_all", {SIGUSR2}, {0, 1}, {"--stop.signal", "usr2"}},
                      Signals{"int_one", {SIGINT}, {1}},
                      Signals{"term_and_int_all", {SIGTERM, SIGINT}, {0, 1}}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_F(RankFaults, ASecondInterruptInASaveLosesNothing) {
  JobOptions slow = on_disk("any#1+:slow 100", "interrupted");
  Job job(train("interrupted"), slow);
  const auto checkpoints = run("interrupted") / "checkpoints";
  ASSERT_TRUE(wait_until([&] { return !leftovers_below(checkpoints).empty() || !job.running(); }));
  kill(job.launcher(), SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kill(job.launcher(), SIGINT);
  EXPECT_EQ(job.wait().status, 128 + SIGINT);
  EXPECT_EQ(run_softcot(train("interrupted")).status, 0);
  expect_as_undisturbed("interrupted");
}

}  // namespace
}  // namespace softcot::test
