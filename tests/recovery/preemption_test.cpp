// A training that runs out of time stops with a checkpoint, and does not restart in vain for ever;
// the scripts of launch/ and slurm/ hand signals, statuses and settings on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"
#include "support/train_outcome.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kSteps = 12;  // Of the configuration of TinyProject.

class Preemption : public ::testing::Test {
 protected:
  Preemption() { project_.precompute(); }

  ChildResult train(const std::string& run, std::vector<std::string> options,
                    const JobOptions& job) {
    options.emplace_back("--resume");
    return run_softcot(project_.call_in(run, "train", options), job);
  }
  std::string restarts(const std::string& run) {
    return slurp(project_.path(run) / "restarts.json");
  }

  TinyProject project_;
};

std::string in_seconds(int seconds) {
  using std::chrono::system_clock;
  return std::to_string(system_clock::to_time_t(system_clock::now()) + seconds);
}

TEST_F(Preemption, StopsBeforeItsTimeIsUpAndGoesOn) {
  ASSERT_EQ(train("whole", {}, on_ranks(2)).status, 0);
  // The end is nearer than the margin, therefore every start makes the one step it always makes.
  JobOptions job = on_ranks(2);
  job.environment = {{"SLURM_JOB_END_TIME", in_seconds(900)}};
  const std::vector<std::string> margin = {"--stop.margin-seconds", "1000"};
  for (int step = 1; step <= 2; ++step) {
    const ChildResult result = train("run", margin, job);
    EXPECT_EQ(result.status, 75) << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("to the end of the batch job"),
                                  HasSubstr("stopped at step " + std::to_string(step) + " of 12")));
  }
  const ChildResult limited = train("run", {"--max-minutes", "0.00001"}, on_ranks(2));
  EXPECT_EQ(limited.status, 75) << limited.err;
  EXPECT_THAT(limited.err,
              AllOf(HasSubstr("end of stop.max-minutes"), HasSubstr("stopped at step 3 of 12")));
  job.environment = {{"SLURM_JOB_END_TIME", in_seconds(3000)}};
  const ChildResult last = train("run", {"--max-minutes", "60"}, job);
  EXPECT_EQ(last.status, 0) << last.err;
  expect_equal(train_outcome(project_.path("run"), kSteps),
               train_outcome(project_.path("whole"), kSteps));
}

TEST_F(Preemption, TheSignalCanBeChosen) {
  Job job(project_.call_in("run", "train", {"--stop.signal", "usr2"}));
  ASSERT_TRUE(wait_until([&] { return job.err().find(": dp ") != std::string::npos; }));
  ASSERT_EQ(kill(job.launcher(), SIGUSR2), 0);
  EXPECT_EQ(job.wait().status, 75);
  Job other(project_.call_in("run", "train", {"--stop.signal", "usr2", "--resume"}));
  ASSERT_TRUE(wait_until([&] { return other.err().find(": dp ") != std::string::npos; }));
  ASSERT_EQ(kill(other.launcher(), SIGUSR1), 0);
  EXPECT_EQ(other.wait().status, 128 + SIGUSR1);
}

TEST_F(Preemption, ThreeRestartsInVainEndTheJob) {
  JobOptions job;
  job.environment = {{"SLURM_JOB_ID", "71"}, {"SOFTCOT_CRASH_AT", "train.step#2"}};
  const auto start = [&](int restart) {
    if (restart > 0) job.environment["SLURM_RESTART_COUNT"] = std::to_string(restart);
    return train("run", {"--train.checkpoint-every", "100"}, job);
  };
  for (int restart = 0; restart < 3; ++restart) {
    EXPECT_EQ(start(restart).status, 128 + SIGKILL);
    EXPECT_THAT(restarts("run"), HasSubstr("\"in_vain\":" + std::to_string(restart)));
  }
  const ChildResult refused = start(3);
  EXPECT_EQ(refused.status, 6) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("error[6] 3 restarts of this job without progress"),
                                 HasSubstr("train has begun at 0 each time")));
  // Another job begins to count anew, and so does one that has come further.
  job.environment["SLURM_JOB_ID"] = "72";
  EXPECT_EQ(start(4).status, 128 + SIGKILL);
  EXPECT_THAT(restarts("run"), HasSubstr("\"in_vain\":0"));
  EXPECT_EQ(start(5).status, 128 + SIGKILL);
  EXPECT_THAT(restarts("run"), HasSubstr("\"in_vain\":1"));
  job.environment.erase("SOFTCOT_CRASH_AT");
  EXPECT_EQ(
      train("run", {"--train.checkpoint-every", "100", "--max-minutes", "0.00001"}, job).status,
      75);
  EXPECT_EQ(start(6).status, 0);
  EXPECT_EQ(restarts("run"),
            "{\"command\":\"train\",\"job\":\"72\",\"progress\":1,\"in_vain\":0}\n");
}

/// A script of this checkout, run by itself.
ChildResult script(const std::string& name, std::vector<std::string> arguments,
                   const std::map<std::string, std::string>& environment = {}) {
  arguments.insert(arguments.begin(), std::string(SOFTCOT_SOURCE) + "/" + name);
  return run_child(arguments, "", environment);
}

constexpr const char* kMpirun = "launch/mpirun.sh";

TEST_F(Preemption, MpirunScriptPassesTheStatusOn) {
  std::vector<std::string> words = {"-n", "2", "--bind", "none", "--program", SOFTCOT_PROGRAM,
                                    "--"};
  const auto with = [&](std::vector<std::string> command) {
    command.insert(command.begin(), words.begin(), words.end());
    return script(kMpirun, command, {{"OMPI_MCA_mpi_yield_when_idle", "1"}});
  };
  const ChildResult done = with(project_.call_in("run", "train"));
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("2 ranks: dp 2"));
  EXPECT_EQ(with(project_.call_in("run", "train",
                                  {"--max-minutes", "0.00001", "--resume", "--run.folder",
                                   project_.path("short")}))
                .status,
            75);
  EXPECT_EQ(with(project_.call_in("no", "train", {"--model", "/nowhere"})).status, 3);
  EXPECT_EQ(with({"train", "--train.btch", "4"}).status, 2);
}

TEST_F(Preemption, MpirunScriptTurnsSigtermIntoACheckpoint) {
  ASSERT_EQ(train("whole", {}, on_ranks(2)).status, 0);
  std::vector<std::string> call = {"-n", "2", "--bind", "none", "--program", SOFTCOT_PROGRAM, "--"};
  for (const std::string& word : project_.call_in("run", "train")) call.push_back(word);
  JobOptions launcher;
  launcher.program = std::string(SOFTCOT_SOURCE) + "/" + kMpirun;
  Job job(call, launcher);
  ASSERT_TRUE(wait_until([&] { return job.err().find(": dp ") != std::string::npos; }));
  ASSERT_EQ(kill(job.launcher(), SIGTERM), 0);
  const ChildResult result = job.wait();
  EXPECT_EQ(result.status, 75) << result.err;
  EXPECT_THAT(result.err, HasSubstr("on request, checkpoint saved"));
  EXPECT_EQ(train("run", {}, on_ranks(2)).status, 0);
  expect_equal(train_outcome(project_.path("run"), kSteps),
               train_outcome(project_.path("whole"), kSteps));
}

TEST(MpirunScript, SaysWhatItWouldCall) {
  const TemporaryFolder folder;
  const auto hosts = write_text(folder.path() / "hosts", "a\nb\n");
  const ChildResult result = script(
      kMpirun,
      {"-n", "8", "--hostfile", hosts, "--ranks-per-node", "4", "--threads", "3", "--bind", "core",
       "--program", "/bin/true", "--dry-run", "--", "train", "--config", "my own.cfg"},
      {{"SOFTCOT_TRAIN_SEED", "5"}, {"NCCL_DEBUG", "INFO"}, {"LD_LIBRARY_PATH", "/x"}});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("-n 8"), HasSubstr("--hostfile " + hosts.string()),
                                HasSubstr("--map-by ppr:4:node:PE=3 --bind-to core"),
                                HasSubstr("-x SOFTCOT_TRAIN_SEED"), HasSubstr("-x NCCL_DEBUG"),
                                HasSubstr("-x LD_LIBRARY_PATH"), HasSubstr("-x OMP_NUM_THREADS"),
                                HasSubstr("/bin/true train --config my\\ own.cfg")));
  EXPECT_EQ(script(kMpirun, {"--", "train"}).status, 2);
  EXPECT_THAT(script(kMpirun, {"-n", "2", "--hostfile", "/nowhere", "--", "train"}).err,
              HasSubstr("error[2] cannot read /nowhere"));
}

TEST(SlurmScripts, NameTheValueThatIsMissing) {
  const TemporaryFolder folder;
  const auto site = write_text(folder.path() / "site.env", "SITE_NODES=2\nSITE_RANKS_PER_NODE=4\n");
  std::map<std::string, std::string> environment = {{"SITE_FILE", site},
                                                    {"SITE_PROGRAM", "/bin/true"}};
  const std::vector<std::string> call = {"--dry-run", "train", "--config", "my.cfg"};
  const ChildResult missing = script("slurm/submit.sh", call, environment);
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.err, "error[2] SITE_CPUS_PER_RANK is not set — set it in " + site.string() +
                             " (slurm/site.env.example explains it)\n");
  // The environment goes over the file, and what is for one command over both.
  environment["SITE_CPUS_PER_RANK"] = "3";
  environment["SITE_TIME"] = "60";
  environment["SITE_NODES"] = "5";
  environment["SITE_TIME_train"] = "90";
  const ChildResult whole = script("slurm/submit.sh", call, environment);
  EXPECT_EQ(whole.status, 0) << whole.err;
  EXPECT_THAT(whole.err, AllOf(HasSubstr("--time=90"), HasSubstr("--nodes=5"),
                               HasSubstr("--ntasks=20"), HasSubstr("--cpus-per-task=3"),
                               HasSubstr("train.sbatch --config my.cfg"), Not(HasSubstr("error"))));
  environment["SITE_NODES_train"] = "two";
  const ChildResult odd = script("slurm/submit.sh", call, environment);
  EXPECT_EQ(odd.status, 2);
  EXPECT_EQ(odd.err, "error[2] SITE_NODES is not a number from 1 on: 'two' — set it in " +
                         site.string() + " (slurm/site.env.example explains it)\n");
  environment["SITE_FILE"] = "/nowhere";
  EXPECT_THAT(script("slurm/submit.sh", call, environment).err,
              HasSubstr("error[2] cannot read /nowhere"));
}

TEST(SlurmScripts, AnOptionWithoutItsValueIsNamed) {
  const ChildResult pipeline = script("slurm/submit_pipeline.sh", {"--config"}, {});
  EXPECT_EQ(pipeline.status, 2);
  EXPECT_THAT(pipeline.err, HasSubstr("error[2] --config needs a file"));
}

TEST(SlurmScripts, AStopBeforeTheRanksAreThereReachesThem) {
  const auto begun = std::chrono::steady_clock::now();
  const ChildResult asked = run_child(
      {"bash", "-c",
       "source " SOFTCOT_SOURCE
       "/launch/tools/steps.sh && note_stops && kill -TERM $$ && run_stoppable sleep 60"});
  EXPECT_EQ(asked.status, 128 + SIGUSR1) << asked.err;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

// Slurm's commands are stand-ins: what is tested are states that pass too quickly to be waited for.
TEST(SlurmScripts, AStoppedJobGoesBackWhileSlurmCountsItAsRunning) {
  const TemporaryFolder folder;
  const auto command = [&](const std::string& name, const std::string& lines) {
    const auto path = write_text(folder.path() / name, "#!/bin/sh\n" + lines);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  };
  command("squeue", "echo NONE\n");
  command("srun", "[ $1 = --mpi=list ] && echo pmix || exit 75\n");
  command("scontrol", "echo \" JobState=$STATE $* \"\n");
  for (const auto& [state, goes_back] : std::map<std::string, bool>{
           {"RUNNING", true}, {"SIGNALING", true}, {"COMPLETING", false}, {"CANCELLED", false}}) {
    const ChildResult result =
        run_child({"bash", SOFTCOT_SOURCE "/slurm/train.sbatch"}, "",
                  {{"SITE_HOME", SOFTCOT_SOURCE},
                   {"SITE_PROGRAM", "softcot"},
                   {"SLURM_JOB_ID", "71"},
                   {"STATE", state},
                   {"PATH", folder.path().string() + ":" + std::getenv("PATH")}});
    EXPECT_EQ(result.status, 75) << result.err;
    EXPECT_EQ(result.out.find("requeue 71") != std::string::npos, goes_back) << state << result.out;
  }
}

TEST(SlurmScripts, SayThatSlurmIsNotHere) {
  const TemporaryFolder folder;
  for (const char* tool : {"bash", "dirname"}) {
    std::filesystem::create_symlink(std::string("/usr/bin/") + tool, folder.path() / tool);
  }
  const std::map<std::string, std::string> environment = {
      {"SITE_NODES", "1"}, {"SITE_RANKS_PER_NODE", "1"},  {"SITE_CPUS_PER_RANK", "1"},
      {"SITE_TIME", "1"},  {"SITE_PROGRAM", "/bin/true"}, {"PATH", folder.path()}};
  const ChildResult result = script("slurm/submit.sh", {"train"}, environment);
  EXPECT_EQ(result.status, 6);
  EXPECT_THAT(result.err, HasSubstr("error[6] no sbatch here"));
}

}  // namespace
}  // namespace softcot::test
