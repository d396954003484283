// Whole trainings whose tensors go through NCCL, by the stand-in: as they are through MPI where
// nothing fails, and ended in time with a word on who is missing where something does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"
#include "support/train_outcome.h"

namespace softcot::test {
namespace {

using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr double kTimeout = 3;  // Seconds, of a collective.
constexpr int kLast = 12;       // Step of TinyProject.

class NcclTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    project_->precompute();
  }
  static void TearDownTestSuite() { project_.reset(); }

  static JobOptions job(int ranks, const std::string& fault = "") {
    JobOptions options = on_ranks(ranks);
    options.environment["SOFTCOT_NCCL_LIBRARY"] = SOFTCOT_NCCL_STAND_IN;
    options.environment["SOFTCOT_STAND_IN_NCCL"] = fault;
    return options;
  }
  static std::vector<std::string> call(const std::string& run, const std::string& transport, int tp,
                                       std::vector<std::string> more = {}) {
    more.insert(more.end(),
                {"--parallel.transport", transport, "--parallel.tp", std::to_string(tp)});
    return project_->call_in(run, "train", more);
  }

  static TrainOutcome outcome(const std::string& run) {
    return train_outcome(project_->path(run), kLast);
  }

  /// Runs a training that must end with 8 and one error line that holds `parts`, within the
  /// deadline, the time to look and to abort, and some for a slow machine; nothing is left of it.
  /// Returns what it wrote to standard error.
  static std::string expect_lost(const std::string& run, int ranks, const std::string& fault,
                                 const std::vector<std::string>& parts,
                                 const std::string& version = "21400") {
    const auto begin = steady_clock::now();
    JobOptions options = job(ranks, fault);
    options.environment["SOFTCOT_STAND_IN_NCCL_VERSION"] = version;
    Job training(call(run, "nccl", 2, {"--parallel.timeout-seconds", std::to_string(kTimeout)}),
                 options);
    const ChildResult result = training.wait(std::chrono::seconds(60));
    const std::chrono::duration<double> took = steady_clock::now() - begin;
    EXPECT_EQ(result.status, 8) << result.err;
    EXPECT_LT(took.count(), 4 * kTimeout + 8) << result.err;
    const auto errors = lines_with(result.err, "error[");
    EXPECT_EQ(errors.size(), 1U) << result.err;
    for (int rank = 0; rank < ranks; ++rank) EXPECT_FALSE(training.rank(rank)) << rank;
    if (errors.empty()) return result.err;
    for (const auto& part : parts) EXPECT_THAT(errors[0], HasSubstr(part));
    std::cout << took.count() << " s: " << errors[0] << '\n';
    return result.err;
  }

  static std::unique_ptr<TinyProject> project_;
};

std::unique_ptr<TinyProject> NcclTraining::project_;

TEST_F(NcclTraining, HasTheLossesAndTheStateOfMpi) {
  struct Layout {
    int ranks;
    int tp;
  };
  for (const Layout& layout : {Layout{2, 1}, Layout{2, 2}, Layout{4, 2}}) {
    SCOPED_TRACE(std::to_string(layout.ranks) + " ranks, tp " + std::to_string(layout.tp));
    const std::string name = std::to_string(layout.ranks) + "-" + std::to_string(layout.tp);
    const ChildResult mpi = run_softcot(call("mpi-" + name, "mpi", layout.tp), job(layout.ranks));
    ASSERT_EQ(mpi.status, 0) << mpi.err;
    const ChildResult nccl =
        run_softcot(call("nccl-" + name, "nccl", layout.tp), job(layout.ranks));
    ASSERT_EQ(nccl.status, 0) << nccl.err;
    EXPECT_THAT(nccl.err, HasSubstr("NCCL 2.14.0"));
    EXPECT_THAT(mpi.err, Not(HasSubstr("NCCL")));
    expect_equal(outcome("nccl-" + name), outcome("mpi-" + name));
    EXPECT_EQ(outcome("nccl-" + name).lines.size(), kLast + 2U);

    // What each rank says it called last.
    for (int rank = 0; rank < layout.ranks; ++rank) {
      const auto record =
          nlohmann::json::parse(slurp(project_->path("nccl-" + name) / "flight" /
                                      ("rank-0000" + std::to_string(rank) + ".json")));
      EXPECT_EQ(record["rank"], rank);
      const std::string group = layout.tp > 1 ? "tp" : "dp";
      EXPECT_GT(record["last"][group]["sequence"], 2 * kLast);
      EXPECT_GT(record["last"][group]["ended"], record["last"][group]["started"]);
    }
  }
}

TEST_F(NcclTraining, EndsWhenACommunicatorIsNeverReady) {
  expect_lost("init", 2, "hang-init",
              {"making of the communicator number 0 of group world timed out",
               "all ranks to join within 3 s", "all ranks have called it"});
}

TEST_F(NcclTraining, EndsAtAnErrorThatNcclReports) {
  expect_lost("error", 2, "async-error:1:40",
              {"NCCL failed in all_reduce number 40 of group tp", "rank 1",
               "remote process exited or there was a network error"});
}

TEST_F(NcclTraining, NamesTheRankThatSkipsACollective) {
  expect_lost(
      "skip", 2, "skip:1:40",
      {"all_reduce number 40 of group tp timed out", "missing: rank 1 (past it, at number 41)"});
}

TEST_F(NcclTraining, EndsEvenWhereAnAbortDoesNotReturn) {
  expect_lost(
      "abort", 2, "skip:1:40,hang-abort",
      {"all_reduce number 40 of group tp timed out", "missing: rank 1 (past it, at number 41)"});
}

// Of the ranks' communicators world and tp only tp has a collective that is not done.
TEST_F(NcclTraining, AbortsAllCommunicatorsBeforeItWaitsForAny) {
  for (const std::string version : {"21400", "22200"}) {
    SCOPED_TRACE(version);
    const std::string err = expect_lost("together-" + version, 2, "skip:1:40,abort-waits",
                                        {"all_reduce number 40 of group tp timed out"}, version);
    EXPECT_GE(lines_with(err, "stand-in NCCL: aborted").size(), 2U) << err;
  }
}

TEST_F(NcclTraining, NamesTheRankThatStopped) {
  Job training(call("stop", "nccl", 2,
                    {"--train.steps", "100000", "--train.checkpoint-every", "0",
                     "--parallel.timeout-seconds", std::to_string(kTimeout)}),
               job(4));
  const auto record = project_->path("stop") / "flight" / "rank-00003.json";
  ASSERT_TRUE(wait_until([&] { return slurp(record).find("all_reduce") != std::string::npos; }));
  const auto stopped = training.rank(3);
  ASSERT_TRUE(stopped);
  const auto begin = steady_clock::now();
  kill(*stopped, SIGSTOP);
  const ChildResult result = training.wait(std::chrono::seconds(60));
  const std::chrono::duration<double> took = steady_clock::now() - begin;
  EXPECT_EQ(result.status, 8) << result.err;
  EXPECT_LT(took.count(), 4 * kTimeout + 8) << result.err;
  const auto errors = lines_with(result.err, "error[8]");
  ASSERT_EQ(errors.size(), 1U) << result.err;
  EXPECT_THAT(errors[0], HasSubstr(" of group "));
  EXPECT_THAT(errors[0], ::testing::ContainsRegex("missing: rank 3 .(at|silent)"));
  std::cout << took.count() << " s: " << errors[0] << '\n';
}

TEST_F(NcclTraining, SaysWhatItLacks) {
  JobOptions options = job(2);
  options.environment["SOFTCOT_NCCL_LIBRARY"] = "/nowhere/libnccl.so.2";
  expect_refused(call("refused", "nccl", 2), 6,
                 {"NCCL cannot be used", "/nowhere/libnccl.so.2", "--parallel.transport mpi"},
                 options);
  options = job(2);
  options.environment["LD_LIBRARY_PATH"] = SOFTCOT_CUDA_STAND_IN_FOLDER;
  std::vector<std::string> on_gpus = call("refused", "auto", 2, {"--parallel.device", "cuda"});
  expect_refused(on_gpus, 6, {"no GPU", "--parallel.device cpu"}, options);
  options.environment["SOFTCOT_STAND_IN_GPUS"] = "1";
  expect_refused(on_gpus, 6,
                 {"more ranks than GPUs on a machine", "at least 2 GPUs", "start fewer ranks"},
                 options);
}

}  // namespace
}  // namespace softcot::test
