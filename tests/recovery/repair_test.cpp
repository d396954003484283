// The way back from damage: inspect --verify, --repair, and the commands that make what is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/files.h"
#include "support/job.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class Repair : public ::testing::Test {
 protected:
  Repair() {
    evaluated_.prepare(place_.path());
    evaluate();
  }

  void evaluate() const {
    const ChildResult result = run_softcot(evaluated_.call(place_.path()));
    EXPECT_EQ(result.status, 0) << result.err;
  }
  fs::path run() const { return place_.path() / "run"; }
  ChildResult inspect(const char* how) const {
    return run_softcot({"inspect", run().string(), how});
  }
  /// A repair says that it removed the like of `what`, and nothing is damaged after it.
  void expect_repaired(const std::string& what) const {
    const ChildResult repaired = inspect("--repair");
    EXPECT_EQ(repaired.status, 0) << repaired.err;
    EXPECT_THAT(repaired.out, ContainsRegex("removed +" + what));
    EXPECT_EQ(inspect("--verify").status, 0);
  }
  Outcome outcome() const { return evaluated_.outcome(place_.path()); }

  TemporaryFolder place_;
  Victim evaluated_{trained_project(), Victim::Kind::kEvaluate};
};

TEST_F(Repair, OfARunNamesAndRemovesWhatIsThenMadeAgain) {
  const Outcome whole = outcome();
  EXPECT_EQ(inspect("--verify").status, 0);
  for (const char* name : {"results.json", "samples/softcot.jsonl", "samples/zero_shot_cot.jsonl",
                           "metrics.jsonl", "checkpoints/step-00000008/state.safetensors"}) {
    const bool checkpoint = std::string(name).starts_with("checkpoints");
    std::string bytes = slurp(run() / name);
    // A digit of a number where there are numbers in words.
    const std::size_t middle = bytes.size() / 2;
    const std::size_t at = checkpoint ? middle : bytes.rfind('.', middle) + 1;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    spill(run() / name, bytes);
    const ChildResult verified = inspect("--verify");
    EXPECT_EQ(verified.status, checkpoint ? 5 : 3) << name << verified.err;
    EXPECT_THAT(verified.err, HasSubstr(checkpoint ? "checkpoints/step-00000008" : name));
    EXPECT_THAT(verified.err, HasSubstr("--repair"));
    SCOPED_TRACE(name);
    expect_repaired("[a-z]");
  }
  evaluate();
  EXPECT_TRUE(outcome() == whole);
}

TEST_F(Repair, ResultsOfMoreSamplesThanThereAreAreMadeAgain) {
  const Outcome whole = outcome();
  const fs::path samples = run() / "samples/softcot.jsonl";
  const std::string bytes = slurp(samples);
  const std::string results = slurp(run() / "results.json");
  // Nothing, the head, the head and one sample: whole lines.
  const std::size_t head = bytes.find('\n') + 1;
  for (const std::size_t end : {std::size_t{0}, head, bytes.find('\n', head) + 1}) {
    spill(samples, bytes.substr(0, end));
    spill(run() / "results.json", results);
    const ChildResult verified = inspect("--verify");
    EXPECT_EQ(verified.status, 3) << end;
    EXPECT_THAT(verified.err, HasSubstr("results.json: of 10 samples, samples/softcot.jsonl has " +
                                        std::string(end > head ? "1" : "0")));
    SCOPED_TRACE(end);
    expect_repaired("results.json");
  }
  evaluate();
  EXPECT_TRUE(outcome() == whole);
}

TEST_F(Repair, StaysInTheFolderItself) {
  const fs::path other = place_.path() / "other";
  fs::copy(run(), other, fs::copy_options::recursive);
  std::string torn = slurp(other / "metrics.jsonl");
  torn.pop_back();
  spill(other / "metrics.jsonl", torn);
  spill(other / "results.json", "{");
  fs::create_directory_symlink(other, run() / "on-other");
  EXPECT_EQ(inspect("--verify").status, 0);
  EXPECT_EQ(inspect("--repair").status, 0);
  EXPECT_EQ(slurp(other / "metrics.jsonl"), torn);
  EXPECT_EQ(slurp(other / "results.json"), "{");
  // The same folder in the place of the link is the run's own.
  fs::remove(run() / "on-other");
  fs::rename(other, run() / "on-other");
  EXPECT_EQ(inspect("--verify").status, 3);
  EXPECT_THAT(inspect("--repair").out,
              AllOf(HasSubstr("on-other/results.json"), HasSubstr("on-other/metrics.jsonl")));
  EXPECT_EQ(inspect("--verify").status, 0);
}

TEST(RepairOfACache, RemovesDamagedBlocksThatAreThenMadeAgain) {
  const TemporaryFolder place;
  const Victim victim(trained_project(), Victim::Kind::kPrecompute);
  victim.prepare(place.path());
  ASSERT_EQ(run_softcot(victim.call(place.path())).status, 0);
  const Outcome whole = victim.outcome(place.path());
  for (const auto& cache : fs::directory_iterator(place.path() / "caches")) {
    const auto block = cache.path() / "block-000000.h5";
    std::string bytes = slurp(block);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    spill(block, bytes);
    expect_refused({"inspect", cache.path(), "--verify"}, 4, {"block-000000.h5", "--repair"});
    const ChildResult repaired = run_softcot({"inspect", cache.path(), "--repair"});
    EXPECT_EQ(repaired.status, 0) << repaired.err;
    EXPECT_THAT(repaired.out, HasSubstr("block-000000.h5"));
    EXPECT_THAT(repaired.out, HasSubstr("softcot precompute"));
    EXPECT_FALSE(fs::exists(block));
  }
  ASSERT_EQ(run_softcot(victim.call(place.path())).status, 0);
  EXPECT_TRUE(victim.outcome(place.path()) == whole);
}

}  // namespace
}  // namespace softcot::test
