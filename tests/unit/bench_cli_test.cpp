// `softcot bench all` as it is called, with peers that are scripts of ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Words = std::vector<std::string>;

class BenchCommand : public ::testing::Test {
 protected:
  ChildResult bench_all(const Words& more) const {
    Words options = {"all",
                     "--peers",
                     "--bench.dtypes",
                     "float32",
                     "--bench.new-tokens",
                     "3",
                     "--bench.folder",
                     project_.path("bench"),
                     "--bench.peers-folder",
                     project_.path("")};
    options.insert(options.end(), more.begin(), more.end());
    return run_softcot(project_.call("bench", options));
  }
  nlohmann::json result() const {
    return nlohmann::json::parse(slurp(project_.path("bench/bench.json")));
  }

  TinyProject project_;
};

TEST_F(BenchCommand, PutsBothInOneTableWithTheRatiosOfEachTurn) {
  // The peer takes a rank's place: it must be given the rows that softcot reads.
  spill(project_.path("transformers_peer.py"),
        "test \"$(wc -l <" + project_.path("bench/rows.jsonl").string() +
            ")\" -gt 20 && echo '{\"rows_per_second\": 0.5, \"peak_memory_bytes\": 5e8}'\n");
  const ChildResult run = bench_all(
      {"--bench.parts", "train", "--bench.repeats", "2", "--bench.peers-python", "/bin/sh"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("| training step, batch 4, N = 4, rows/s | float32 |"),
                             HasSubstr("| Transformers | 0.50 |"), HasSubstr("of the GEMM peak")));
  EXPECT_EQ(run.out, slurp(project_.path("bench/bench.md")));
  const auto comparison = result().at("comparisons").at(0);
  const auto& ours = comparison.at("contenders").at(0);
  const auto& theirs = comparison.at("contenders").at(1);
  ASSERT_EQ(ours.at("lines").size(), 2U);
  const double first = ours.at("lines").at(0).at("rows_per_second");
  const double second = ours.at("lines").at(1).at("rows_per_second");
  EXPECT_DOUBLE_EQ(theirs.at("ratio").at("min").get<double>(), std::min(first, second) / 0.5);
  EXPECT_DOUBLE_EQ(theirs.at("ratio").at("max").get<double>(), std::max(first, second) / 0.5);
  EXPECT_THAT(run.err, AllOf(HasSubstr("4/4 "), HasSubstr(" left")));
}

TEST_F(BenchCommand, TrainsWhatTrainBeginsWith) {
  const auto loss = [&](const std::string& seed) {
    const ChildResult run =
        run_softcot(project_.call("bench", {"train", "--train.seed", seed, "--bench.steps", "1"}));
    EXPECT_EQ(run.status, 0) << run.err;
    return nlohmann::json::parse(run.out).at("loss").get<double>();
  };
  EXPECT_EQ(loss("1"), loss("1"));
  EXPECT_NE(loss("1"), loss("2")) << "the first projection is not that of the seed";
  expect_refused(project_.call("bench", {"train", "--train.method", "lora"}), 2,
                 {"bench measures the training of softcot alone", "train.method"});
}

TEST_F(BenchCommand, NamesPeersThatAreNotInstalledOrFail) {
  spill(project_.path("transformers_peer.py"), "exit 3\n");
  const ChildResult failed = bench_all(
      {"--bench.parts", "precompute", "--bench.repeats", "1", "--bench.peers-python", "/bin/sh"});
  EXPECT_EQ(failed.status, 0) << failed.err;
  EXPECT_THAT(failed.out, HasSubstr("| Transformers | failed | – |"));
  const ChildResult absent = bench_all({"--bench.parts", "precompute", "--bench.repeats", "1",
                                        "--bench.peers-python", project_.path("nowhere")});
  EXPECT_EQ(absent.status, 0) << absent.err;
  EXPECT_THAT(absent.out, HasSubstr("not installed: launch/bench/peers/setup.sh"));
}

TEST_F(BenchCommand, ReadsAPromptOnceForAllItsAnswers) {
  const ChildResult run = bench_all(
      {"--bench.parts", "samples", "--bench.repeats", "2", "--bench.peers-python", "/bin/sh"});
  ASSERT_EQ(run.status, 0) << run.err;
  const auto contenders = result().at("comparisons").at(0).at("contenders");
  ASSERT_EQ(contenders.at(0).at("lines").size(), 1U);  // A count is taken once.
  EXPECT_EQ(contenders.at(1).at("ratio").at("median"), 1.0);
  EXPECT_GT(contenders.at(0).at("lines").at(0).at("new_tokens"),
            contenders.at(1).at("lines").at(0).at("new_tokens"));
}

TEST_F(BenchCommand, LeavesNoCacheBehind) {
  const ChildResult run =
      run_softcot(project_.call("bench", {"precompute", "--bench.rows", "8"}), on_ranks(2));
  ASSERT_EQ(run.status, 0) << run.err;
  const auto line = nlohmann::json::parse(run.out);
  EXPECT_EQ(line.at("ranks"), 2);
  EXPECT_GT(line.at("writing_share"), 0.0);
  EXPECT_THAT(names_below(project_.path("caches")), ::testing::IsEmpty());
}

TEST_F(BenchCommand, RefusesWhatItCannotMeasure) {
  expect_refused(project_.call("bench", {"sleep"}), 2, {"unknown part", "sleep", "train"});
  expect_refused(project_.call("bench", {"train", "--bench.rows", "7"}), 2,
                 {"nothing to time", "at least 8", "got 7"});
}

}  // namespace
}  // namespace softcot::test
