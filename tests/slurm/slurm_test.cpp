// Whole jobs on a real Slurm: the pipeline, a job array, and trainings that are sent away and come
// back. The program tests/support/with_slurm.sh starts this one beside a Slurm of two nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "support/child_process.h"
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

constexpr int kSteps = 40;
constexpr int kFewSteps = 2;
// Slurm puts a job back after ten seconds or so; the rest is for machines that do much else.
constexpr std::chrono::seconds kPatience(400);

using Environment = std::map<std::string, std::string>;

class Slurm : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    project_->precompute();
  }
  static void TearDownTestSuite() { project_.reset(); }

  /// Two nodes, one rank each.
  static Environment site(const std::string& run, Environment more = {}) {
    more.insert({{"SITE_NODES", "2"},
                 {"SITE_RANKS_PER_NODE", "1"},
                 {"SITE_CPUS_PER_RANK", "1"},
                 {"SITE_TIME", "10"},
                 {"SITE_PROGRAM", SOFTCOT_PROGRAM},
                 {"SITE_LOGS", project_->path(run + "-logs")},
                 {"SOFTCOT_THOUGHTS_CACHE", project_->path("caches")},
                 {"SOFTCOT_RUN_FOLDER", project_->path(run)}});
    return more;
  }
  static Environment training(const std::string& run, Environment more = {}) {
    more.insert({{"SOFTCOT_TRAIN_STEPS", std::to_string(kSteps)},
                 {"SOFTCOT_TRAIN_CHECKPOINT_EVERY", "0"},
                 {"SOFTCOT_TRAIN_EVAL_EVERY", "0"}});
    return site(run, more);
  }
  /// A step takes a second until the job comes back: on any machine there is time to disturb it.
  static Environment slow_training(const std::string& run, Environment more = {}) {
    more["SITE_PROGRAM"] =
        write_script(run + "-program",
                     "[ -n \"$SLURM_RESTART_COUNT\" ] || export LD_PRELOAD=" SOFTCOT_DISK_STAND_IN
                     " SOFTCOT_TEST_DISK='write#1+:slow 1000:" +
                         (project_->path(run) / "tensorboard").string() +
                         "'\nexec " SOFTCOT_PROGRAM " \"$@\"\n");
    return training(run, more);
  }
  static std::string write_script(const std::string& name, const std::string& lines) {
    const auto path = write_text(project_->path(name), "#!/bin/sh\n" + lines);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

  /// Calls a script of slurm/, which prints the numbers of jobs.
  static std::vector<std::string> submit(const std::string& script,
                                         std::vector<std::string> arguments,
                                         const Environment& environment) {
    arguments.insert(arguments.begin(), std::string(SOFTCOT_SOURCE) + "/slurm/" + script);
    const ChildResult result = run_child(arguments, "", environment);
    EXPECT_EQ(result.status, 0) << result.err;
    std::vector<std::string> jobs;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) jobs.push_back(line);
    return jobs;
  }
  static std::string submit_training(const Environment& environment) {
    const auto jobs =
        submit("submit.sh", {"train", "--config", project_->path("project.cfg")}, environment);
    return jobs.empty() ? "" : jobs.front();
  }

  /// A field of `scontrol show job`.
  static std::string field(const std::string& job, const std::string& name) {
    const auto shown = run_child({"scontrol", "show", "job", "--oneliner", job});
    const std::size_t at = shown.out.find(" " + name + "=");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 2;
    return shown.out.substr(begin, shown.out.find(' ', begin) - begin);
  }
  static std::string state(const std::string& job) { return field(job, "JobState"); }
  /// A job that is preempted or queued again has not ended.
  static bool ended(const std::string& job) {
    const std::set<std::string> ends = {"COMPLETED", "FAILED",    "CANCELLED",    "TIMEOUT",
                                        "DEADLINE",  "NODE_FAIL", "OUT_OF_MEMORY"};
    return ends.contains(state(job));
  }
  /// As wait_until, but asking takes Slurm time that the jobs need.
  static bool wait_patiently(const std::function<bool()>& condition) {
    return wait_until(
        [&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(200));
          return condition();
        },
        kPatience);
  }
  static void wait_for_end(const std::vector<std::string>& jobs) {
    for (const std::string& job : jobs) {
      ASSERT_TRUE(wait_patiently([&] { return ended(job); })) << run_child({"squeue", "--all"}).out;
    }
  }
  /// What the jobs of one run have written.
  static std::string logs(const std::string& run) {
    std::string all;
    for (const std::string& name : names_below(project_->path(run + "-logs"))) {
      all += "== " + name + "\n" + slurp(project_->path(run + "-logs") / name);
    }
    return all;
  }
  static bool wait_for_steps(const std::string& run) {
    return wait_patiently([&] {
      return lines_with(slurp(project_->path(run) / "metrics.jsonl"), "\"loss\"").size() >=
             kFewSteps;
    });
  }

  /// The training came back at least once, and did what one that nobody disturbed does.
  static void expect_came_back(const std::string& run, const std::string& job) {
    wait_for_end({job});
    EXPECT_EQ(state(job), "COMPLETED") << logs(run);
    EXPECT_EQ(field(job, "ExitCode"), "0:0");
    EXPECT_THAT(logs(run), AllOf(HasSubstr("checkpoint saved"), HasSubstr("queued again"),
                                 HasSubstr("resumed at step")));
    EXPECT_GE(std::stoi(field(job, "Restarts")), 1);
    static const TrainOutcome whole = [] {
      const std::string undisturbed = submit_training(training("whole"));
      wait_for_end({undisturbed});
      EXPECT_THAT(logs("whole"), Not(HasSubstr("queued again")));
      return train_outcome(project_->path("whole"), kSteps);
    }();
    const TrainOutcome outcome = train_outcome(project_->path(run), kSteps);
    expect_equal(outcome, whole);
    for (const std::string& line : lines_with(logs(run), "resumed at step")) {
      std::cout << line << "; " << outcome.losses.size() << " losses as undisturbed\n";
    }
  }

  static std::unique_ptr<TinyProject> project_;
};

std::unique_ptr<TinyProject> Slurm::project_;

TEST_F(Slurm, RunsAWholePipelineSubmittedAtOnce) {
  auto environment = site("pipeline");
  environment["SOFTCOT_THOUGHTS_CACHE"] = project_->path("other-caches");
  const auto jobs =
      submit("submit_pipeline.sh", {"--config", project_->path("project.cfg")}, environment);
  ASSERT_EQ(jobs.size(), 4U);
  EXPECT_EQ(state(jobs[3]), "PENDING");
  wait_for_end(jobs);
  for (const std::string& job : jobs) EXPECT_EQ(state(job), "COMPLETED") << logs("pipeline");
  EXPECT_EQ(lines_with(logs("pipeline"), "2 ranks: dp 2").size(), 3U) << logs("pipeline");
  EXPECT_EQ(train_outcome(project_->path("pipeline"), 12).losses.size(), 12U);
  EXPECT_TRUE(std::filesystem::exists(project_->path("pipeline") / "results.json"));
  EXPECT_TRUE(std::filesystem::exists(project_->path("pipeline") / "report.html"));
}

// Of an exclusive job, whose steps would see none without being told.
TEST_F(Slurm, StepsHaveTheGpusThatTheSiteNames) {
  const auto program =
      write_script("viewer", "echo \"task $SLURM_PROCID sees $CUDA_VISIBLE_DEVICES.\"\n");
  const std::string job = submit_training(site(
      "gpus",
      {{"SITE_PROGRAM", program}, {"SITE_GPUS_PER_NODE", "4"}, {"SITE_SBATCH", "--exclusive"}}));
  wait_for_end({job});
  EXPECT_EQ(state(job), "COMPLETED") << logs("gpus");
  EXPECT_THAT(logs("gpus"),
              AllOf(HasSubstr("task 0 sees 0,1,2,3."), HasSubstr("task 1 sees 0,1,2,3.")));
}

TEST_F(Slurm, AFailedStepOfAPipelineCancelsThoseAfterIt) {
  const auto jobs = submit("submit_pipeline.sh", {"--config", project_->path("project.cfg")},
                           site("failing", {{"SOFTCOT_MODEL_PATH", "/nowhere"}}));
  ASSERT_EQ(jobs.size(), 4U);
  wait_for_end(jobs);
  EXPECT_EQ(state(jobs[0]), "COMPLETED") << "the assistant is there";
  EXPECT_EQ(state(jobs[1]), "FAILED");
  EXPECT_EQ(state(jobs[2]), "CANCELLED");
  EXPECT_EQ(state(jobs[3]), "CANCELLED");
  EXPECT_THAT(logs("failing"), HasSubstr("error[3]"));
}

// Its tasks are a stand-in: what is tested is the array and the report that waits for it.
TEST_F(Slurm, AFailingTaskOfAnArrayLeavesTheOthersAndTheReport) {
  const auto out = project_->path("swept");
  const auto program = write_script("sweeper", "mkdir -p " + out.string() +
                                                   "\ncase $1 in\n"
                                                   "  sweep) for last; do :; done; echo \"$*\" > " +
                                                   out.string() +
                                                   "/cell-${last%/*}\n"
                                                   "    [ \"$last\" != 2/3 ] ;;\n"
                                                   "  report) ls " +
                                                   out.string() + " > " + out.string() +
                                                   "/report ;;\n"
                                                   "esac\n");
  auto environment = site("sweep", {{"SITE_NODES", "1"}});
  environment["SITE_PROGRAM"] = program;
  const auto jobs = submit(
      "submit_sweep.sh", {"--tasks", "3", "--config", project_->path("project.cfg"), "--out", out},
      environment);
  ASSERT_EQ(jobs.size(), 2U);
  wait_for_end({jobs[0] + "_1", jobs[0] + "_2", jobs[0] + "_3", jobs[1]});
  EXPECT_EQ(state(jobs[0] + "_1"), "COMPLETED") << logs("sweep");
  EXPECT_EQ(state(jobs[0] + "_2"), "FAILED");
  EXPECT_EQ(state(jobs[0] + "_3"), "COMPLETED");
  EXPECT_EQ(state(jobs[1]), "COMPLETED") << logs("sweep");
  EXPECT_EQ(slurp(out / "report"), "cell-1\ncell-2\ncell-3\nreport\n");
  EXPECT_THAT(slurp(out / "cell-3"), AllOf(HasSubstr("sweep --config"), HasSubstr("--shard 3/3")));
}

TEST_F(Slurm, TasksOfAnArrayShareASweep) {
  std::string text = slurp(project_->path("project.cfg"));
  const std::string count = "count = 4\n";
  text.erase(text.find(count), count.size());
  const auto grid =
      write_text(project_->path("grid.cfg"), text + "[axes]\nthoughts.count = 0, 1, 2, 3\n");
  const auto out = project_->path("grid");
  auto environment = site("grid", {{"SITE_NODES", "1"}, {"SITE_RANKS_PER_NODE", "2"}});
  environment.erase("SOFTCOT_RUN_FOLDER");
  const auto jobs =
      submit("submit_sweep.sh", {"--tasks", "2", "--config", grid, "--out", out}, environment);
  ASSERT_EQ(jobs.size(), 2U);
  wait_for_end({jobs[0] + "_1", jobs[0] + "_2", jobs[1]});
  for (const std::string& job : {jobs[0] + "_1", jobs[0] + "_2", jobs[1]}) {
    EXPECT_EQ(state(job), "COMPLETED") << logs("grid");
  }
  EXPECT_EQ(lines_with(slurp(out / "sweep.json"), "\"done\"").size(), 4U) << logs("grid");
  EXPECT_THAT(slurp(out / "report" / "report.md"), HasSubstr("SoftCoT"));
}

// Slurm asks the steps of a job to stop, not mpirun, which has a step only on another node.
TEST_F(Slurm, PreemptedTrainingsComeBackToTheSameLosses) {
  const std::vector<std::string> runs = {"preempted", "mpi-preempted", "alone-preempted"};
  const std::vector<Environment> sites = {
      {},
      {{"SITE_LAUNCHER", "mpirun"}},
      {{"SITE_LAUNCHER", "mpirun"}, {"SITE_NODES", "1"}, {"SITE_RANKS_PER_NODE", "2"}}};
  std::vector<std::string> jobs;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    jobs.push_back(submit_training(slow_training(runs[i], sites[i])));
  }
  for (const std::string& run : runs) ASSERT_TRUE(wait_for_steps(run)) << logs(run);
  const ChildResult urgent = run_child({"sbatch", "--parsable", "--partition=urgent", "--nodes=2",
                                        "--exclusive", "--output=/dev/null", "--wrap=true"});
  ASSERT_EQ(urgent.status, 0) << urgent.err;
  for (std::size_t i = 0; i < runs.size(); ++i) expect_came_back(runs[i], jobs[i]);
}

TEST_F(Slurm, AnEndingTrainingUnderMpirunComesBackToTheSameLosses) {
  const std::string job = submit_training(slow_training("ending", {{"SITE_LAUNCHER", "mpirun"}}));
  ASSERT_TRUE(wait_for_steps("ending")) << logs("ending");
  // What Slurm itself does SITE_STOP_SECONDS before the time limit.
  ASSERT_EQ(run_child({"scancel", "--batch", "--signal=USR1", job}).status, 0);
  expect_came_back("ending", job);
}

TEST_F(Slurm, ACancelledTrainingStaysCancelled) {
  const std::string job = submit_training(slow_training("cancelled"));
  ASSERT_TRUE(wait_for_steps("cancelled")) << logs("cancelled");
  ASSERT_EQ(run_child({"scancel", job}).status, 0);
  wait_for_end({job});
  ASSERT_TRUE(wait_patiently([&] {
    return logs("cancelled").find("checkpoint saved") != std::string::npos;
  })) << logs("cancelled");
  EXPECT_THAT(logs("cancelled"), Not(HasSubstr("queued again")));
  EXPECT_EQ(state(job), "CANCELLED");
}

}  // namespace
}  // namespace softcot::test
