// What the system around a job may do to it: no locks, a clock that goes back, few open files, odd
// paths, another language, closed streams, signals at the wrong moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "support/child_process.h"
#include "support/disturbed_training.h"
#include "support/files.h"
#include "support/tiny_model.h"
#include "support/train_outcome.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SystemFaults : public DisturbedTraining {
 protected:
  TemporaryFolder place_;
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
  const auto folder = place_.path() / "Prüfung 思考 mit Leerzeichen";
  std::filesystem::create_directories(folder);
  make_tiny_project(folder, TinyProject::kTrainQuestions, TinyProject::kEvalQuestions);
  const std::string program = std::string("'") + SOFTCOT_PROGRAM + "'";
  const std::string common = " --config project.cfg --thoughts.cache 'die Gedanken' ";
  // HOME unset, 64 handles, and then no standard streams at all.
  const ChildResult result = run_child(
      {"bash", "-c",
       "unset HOME; export OMP_NUM_THREADS=1; ulimit -n 64; cd '" + folder.string() + "' && " +
           program + " precompute" + common + "&& " + program + " train" + common +
           "--run.folder 'der Lauf' <&- >&- 2>&- && " + program + " evaluate" + common +
           "--run.folder 'der Lauf' && " + program + " report 'der Lauf' --out 'der Bericht' && " +
           program + " inspect 'der Lauf' --verify"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("every byte"));
  const TrainOutcome got = train_outcome(folder / "der Lauf", kSteps);
  EXPECT_EQ(got.losses, train_outcome(run("trained"), kSteps).losses);
}

TEST_F(SystemFaults, ADecimalCommaChangesNoNumber) {
  const auto locale = place_.path() / "de_DE.UTF-8";
  if (run_child({"localedef", "-i", "de_DE", "-f", "UTF-8", locale.string()}).status != 0) {
    GTEST_SKIP() << "making a locale needs localedef and the locales' sources (package locales)";
  }
  const std::map<std::string, std::string> german = {{"LOCPATH", place_.path()},
                                                     {"LC_ALL", "de_DE.UTF-8"}};
  ASSERT_EQ(run_child({"bash", "-c", "printf %.1f 0,5"}, "", german).out, "0,5") << "not in force";
  JobOptions options;
  options.environment = german;
  ASSERT_EQ(run_softcot(train("comma", {"--train.learning-rate", "0.01"}), options).status, 0);
  ASSERT_EQ(run_softcot(train("point", {"--train.learning-rate", "0.01"})).status, 0);
  expect_equal(train_outcome(run("comma"), kSteps), train_outcome(run("point"), kSteps));
  ASSERT_EQ(run_softcot(trained_project().call_in("comma", "evaluate"), options).status, 0);
  ASSERT_EQ(run_softcot(trained_project().call_in("point", "evaluate")).status, 0);
  EXPECT_EQ(slurp(run("comma") / "results.csv"), slurp(run("point") / "results.csv"));
  const auto page = [&](const char* name, const JobOptions& how) {
    const auto out = place_.path() / name;
    EXPECT_EQ(run_softcot({"report", run("point"), "--out", out}, how).status, 0);
    return slurp(out / "report.html") + slurp(out / "report.csv");
  };
  EXPECT_EQ(page("comma", options), page("point", {}));
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

TEST_F(SystemFaults, AFullDiskOfItsOwn) {
  const auto place = place_.path();
  if (mount("none", place.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "a small file system needs the right to mount one";
  }
  const ChildResult full =
      run_softcot(trained_project().call("train", {"--run.folder", place / "run", "--resume"}));
  EXPECT_EQ(full.status, 6) << full.err;
  EXPECT_THAT(full.err, AllOf(HasSubstr("no space left to write"), HasSubstr(place.string())));
  EXPECT_THAT(leftovers_below(place), IsEmpty());
  EXPECT_EQ(mount("none", place.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  const ChildResult again =
      run_softcot(trained_project().call("train", {"--run.folder", place / "run", "--resume"}));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(train_outcome(place / "run", kSteps).state,
            train_outcome(run("trained"), kSteps).state);
  umount(place.c_str());
}

TEST_F(SystemFaults, AReportOnAFullDiskLeavesNoPart) {
  ASSERT_EQ(run_softcot(trained_project().call_in("trained", "evaluate")).status, 0);
  JobOptions full;
  full.file_size_limit = 2000;
  const ChildResult result =
      run_softcot({"report", run("trained"), "--out", place_.path() / "page"}, full);
  EXPECT_EQ(result.status, 6) << result.err;
  EXPECT_EQ(lines_with(result.err, "error[6]").size(), 1U) << result.err;
  EXPECT_THAT(names_below(place_.path() / "page"), Not(Contains(HasSubstr("report.html"))));
  EXPECT_THAT(leftovers_below(place_.path()), IsEmpty());
}

TEST_F(SystemFaults, AReaderThatIsGoneLosesNoResult) {
  const std::string command = std::string("set -o pipefail; '") + SOFTCOT_PROGRAM +
                              "' evaluate --config '" +
                              trained_project().path("project.cfg").string() +
                              "' --thoughts.cache '" + trained_project().path("caches").string() +
                              "' --evaluate.trained '" + run("trained").string() +
                              "' --run.folder '" + (place_.path() / "piped").string() + "' | true";
  const ChildResult result = run_child({"bash", "-c", command}, "", {{"OMP_NUM_THREADS", "1"}});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(std::filesystem::exists(place_.path() / "piped/results.json"));
}

TEST_F(SystemFaults, WhatIsNoFileIsRefusedAtOnce) {
  const auto pipe = place_.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto loop = place_.path() / "loop";
  std::filesystem::create_symlink(loop, loop);
  expect_refused({"train", "--config", pipe}, 2, {"config file cannot be read", pipe});
  expect_refused(train("odd", {"--prompts.file", pipe}), 2, {"prompt file cannot be read", pipe});
  expect_refused({"plan", "--model", loop}, 2, {"path cannot be used", loop});
}

TEST_F(SystemFaults, ALimitOnTheSizeOfFilesIsNamed) {
  std::string call = std::string("ulimit -f 8; exec '") + SOFTCOT_PROGRAM + "'";
  for (const std::string& word : train("limited", {"--train.steps", "2"}))
    call += " '" + word + "'";
  const ChildResult result = run_child({"bash", "-c", call}, "", {{"OMP_NUM_THREADS", "1"}});
  EXPECT_EQ(result.status, 6) << result.err;
  EXPECT_THAT(result.err, HasSubstr("ulimit -f"));
  EXPECT_THAT(leftovers_below(run("limited")), IsEmpty());
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
