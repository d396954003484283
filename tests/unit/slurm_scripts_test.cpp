// The scripts of slurm/ without a Slurm: the calls that they print or make.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "support/child_process.h"
#include "support/files.h"
#include "support/fixtures.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Environment = std::map<std::string, std::string>;

class SlurmScripts : public ::testing::Test {
 protected:
  static Environment site(const std::string& gpus) {
    return {{"SITE_NODES", "2"},           {"SITE_RANKS_PER_NODE", "8"},
            {"SITE_CPUS_PER_RANK", "4"},   {"SITE_TIME", "10"},
            {"SITE_PROGRAM", "/bin/true"}, {"SITE_SBATCH", "--exclusive"},
            {"SITE_GPUS_PER_NODE", gpus}};
  }
  /// What a script of slurm/ says when it is called.
  static ChildResult call(std::vector<std::string> words, const Environment& environment) {
    words[0] = SOFTCOT_SOURCE "/slurm/" + words[0];
    words.insert(words.begin(), "bash");
    return run_child(words, "", environment);
  }

  void write_program(const std::string& name, const std::string& lines) const {
    const auto path = folder_.path() / name;
    spill(path, "#!/bin/sh\n" + lines);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  /// The calls of srun that a job of train makes.
  std::string steps(Environment environment) const {
    const auto log = folder_.path() / "steps";
    write_program("srun", "[ \"$1\" != --mpi=list ] || { echo pmix; exit; }\necho \"srun $*\" >> " +
                              log.string() + "\n");
    write_program("mpirun", "echo \"mpirun $*\" >> " + log.string() + "\nsleep 1\n");
    for (const char* name : {"squeue", "scontrol"}) write_program(name, "");
    environment.insert({{"SITE_HOME", SOFTCOT_SOURCE},
                        {"PATH", folder_.path().string() + ":" + std::getenv("PATH")},
                        {"SLURM_JOB_ID", "1"},
                        {"SLURM_JOB_NUM_NODES", "1"},
                        {"SLURM_NTASKS", "8"},
                        {"SLURM_NTASKS_PER_NODE", "8"}});
    const ChildResult result = call({"train.sbatch", "--config", "my.cfg"}, environment);
    EXPECT_EQ(result.status, 0) << result.err;
    return slurp(log);
  }

  TemporaryFolder folder_;
};

TEST_F(SlurmScripts, JobsAskForTheirNodesGpus) {
  const auto made = call({"submit.sh", "--dry-run", "train"}, site("8"));
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, AllOf(HasSubstr("--gres=gpu:8 "), HasSubstr("--exclusive")));
  EXPECT_THAT(call({"submit.sh", "--dry-run", "train"}, site("h100:4")).err,
              HasSubstr("--gres=gpu:h100:4 "));
  EXPECT_THAT(call({"submit.sh", "--dry-run", "train"}, site("")).err, Not(HasSubstr("gres")));
  EXPECT_THAT(call({"submit.sh", "--dry-run", "report"}, site("8")).err, Not(HasSubstr("gres")));
  auto own = site("8");
  own["SITE_GPUS_PER_NODE_evaluate"] = "2";
  EXPECT_THAT(call({"submit.sh", "--dry-run", "evaluate"}, own).err, HasSubstr("--gres=gpu:2 "));
  spill(folder_.path() / "my.cfg", "");
  EXPECT_THAT(
      call({"submit_pipeline.sh", "--dry-run", "--config", folder_.path() / "my.cfg"}, own).err,
      AllOf(HasSubstr("--gres=gpu:8 "), HasSubstr("--gres=gpu:2 ")));
  EXPECT_THAT(call({"submit_sweep.sh", "--dry-run", "--tasks", "2", "--config",
                    folder_.path() / "my.cfg", "--out", "runs/s"},
                   site("8"))
                  .err,
              HasSubstr("--gres=gpu:8 "));
}

TEST_F(SlurmScripts, ANumberOfGpusThatIsNoneIsRefused) {
  for (const char* gpus : {"0", "all", "8,4", "gpu:8:1"}) {
    const auto refused = call({"submit.sh", "--dry-run", "train"}, site(gpus));
    EXPECT_EQ(refused.status, 2) << gpus;
    EXPECT_THAT(refused.err, HasSubstr("SITE_GPUS_PER_NODE"));
  }
}

TEST_F(SlurmScripts, StepsAskForThemToo) {
  EXPECT_THAT(steps(site("8")), HasSubstr("--gres=gpu:8 /bin/true train --resume --config my.cfg"));
}

TEST_F(SlurmScripts, StepsOfJobsWithoutGpusDoNot) {
  EXPECT_THAT(steps(site("")), AllOf(HasSubstr("/bin/true train"), Not(HasSubstr("gres"))));
}

// The step that waits for a preemption beside mpirun must not take the GPUs away.
TEST_F(SlurmScripts, TheListenerBesideMpirunTakesNone) {
  auto environment = site("8");
  environment["SITE_LAUNCHER"] = "mpirun";
  EXPECT_THAT(steps(environment), AllOf(HasSubstr("--gres=none bash"), HasSubstr("mpirun ")));
}

}  // namespace
}  // namespace softcot::test
