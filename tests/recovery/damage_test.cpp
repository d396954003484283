// Changed bytes in what a run leaves behind: found and named, or harmless; never another number.
// And the way back: inspect --verify, --repair, and the commands that make what is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "evaluation/report_run.h"
#include "evaluation/sample_log.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/random.h"
#include "support/files.h"
#include "support/job.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;

class Damage : public ::testing::Test {
 protected:
  Damage() {
    evaluated_.prepare(place_.path());
    const ChildResult result = run_softcot(evaluated_.call(place_.path()));
    EXPECT_EQ(result.status, 0) << result.err;
    set_log_level(LogLevel::kSilent);
  }
  ~Damage() override { set_log_level(LogLevel::kInfo); }

  std::filesystem::path run() const { return place_.path() / "run"; }

  /// Calls `check(what)` with each of `count` damaged versions of a file in its place.
  template <typename Check>
  void with_damage(const std::filesystem::path& file, int count, const Check& check) const {
    const std::string whole = slurp(file);
    RandomStream random(51, RandomPurpose::kTest);
    for (int i = 0; i < count; ++i) {
      std::string damaged = whole;
      const std::size_t at = random.below(whole.size());
      if (i % 4 == 3) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
      }
      spill(file, damaged);
      check((i % 4 == 3 ? "cut to " : "bit of byte ") + std::to_string(at));
    }
    spill(file, whole);
  }

  TemporaryFolder place_;
  Victim evaluated_{trained_project(), Victim::Kind::kEvaluate};
};

/// What `read` gives; nothing where it refuses the file and names it.
template <typename Read>
auto refused_or(const std::filesystem::path& file, const Read& read)
    -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(file.string()));
    return std::nullopt;
  }
}

TEST_F(Damage, OfResultsIsFound) {
  const auto file = run() / "results.json";
  const auto read = [&] {
    nlohmann::json json = read_json_file(file);
    std::erase_if(json.get_ref<nlohmann::json::object_t&>(),
                  [](const auto& item) { return item.first.size() == 8; });  // the seal's name
    return json;
  };
  const nlohmann::json whole = read();
  int found = 0;
  with_damage(file, 200, [&](const std::string& what) {
    const auto got = refused_or(file, read);
    found += got ? 0 : 1;
    EXPECT_EQ(got.value_or(whole), whole) << what;
  });
  EXPECT_GT(found, 190);
  std::cout << found << " of 200 found, the others changed the seal's name or white space\n";
}

TEST_F(Damage, OfSamplesIsFoundOrLosesTheLastLine) {
  const auto file = run() / "samples/softcot.jsonl";
  const auto texts = [&] {
    std::vector<std::string> all;
    for (const Sample& sample : read_samples(file)) {
      all.push_back(sample.question_id + sample.text + sample.finish +
                    std::to_string(sample.answer_nll.value_or(-1)));
    }
    return all;
  };
  const auto whole = texts();
  ASSERT_EQ(whole.size(), static_cast<std::size_t>(TinyProject::kEvalQuestions));
  int found = 0;
  with_damage(file, 200, [&](const std::string& what) {
    const auto got = refused_or(file, texts);
    found += got ? 0 : 1;
    if (!got) return;
    ASSERT_LE(got->size(), whole.size()) << what;
    EXPECT_TRUE(std::equal(got->begin(), got->end(), whole.begin())) << what;
  });
  EXPECT_GT(found, 100);
  std::cout << found << " of 200 refused; the others lost whole lines at the end\n";
}

TEST_F(Damage, OfMetricsLeavesALineOut) {
  const auto file = run() / "metrics.jsonl";
  const auto losses = [&] {
    std::map<std::int64_t, double> all;
    for (const RunStep& step : read_steps(file).steps) {
      if (step.loss) all[step.step] = *step.loss;
    }
    return all;
  };
  const auto whole = losses();
  with_damage(file, 200, [&](const std::string& what) {
    for (const auto& [step, loss] : losses()) {
      ASSERT_TRUE(whole.contains(step)) << what;
      EXPECT_EQ(loss, whole.at(step)) << what;
    }
  });
}

TEST_F(Damage, OfARunIsNamedRepairedAndMadeAgain) {
  const Outcome whole = evaluated_.outcome(place_.path());
  const auto inspect = [&](const char* how) {
    return run_softcot({"inspect", run().string(), how});
  };
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
    const ChildResult repaired = inspect("--repair");
    EXPECT_EQ(repaired.status, 0) << repaired.err;
    EXPECT_THAT(repaired.out, ::testing::ContainsRegex("removed +[a-z]"));
    EXPECT_EQ(inspect("--verify").status, 0) << name;
  }
  ASSERT_EQ(run_softcot(evaluated_.call(place_.path())).status, 0);
  EXPECT_TRUE(evaluated_.outcome(place_.path()) == whole);
}

TEST_F(Damage, OfACacheIsRepairedAndMadeAgain) {
  const Victim victim(trained_project(), Victim::Kind::kPrecompute);
  victim.prepare(place_.path());
  ASSERT_EQ(run_softcot(victim.call(place_.path())).status, 0);
  const Outcome whole = victim.outcome(place_.path());
  for (const auto& cache : std::filesystem::directory_iterator(place_.path() / "caches")) {
    const auto block = cache.path() / "block-000000.h5";
    std::string bytes = slurp(block);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    spill(block, bytes);
    expect_refused({"inspect", cache.path(), "--verify"}, 4, {"block-000000.h5", "--repair"});
    const ChildResult repaired = run_softcot({"inspect", cache.path(), "--repair"});
    EXPECT_EQ(repaired.status, 0) << repaired.err;
    EXPECT_THAT(repaired.out, HasSubstr("block-000000.h5"));
    EXPECT_THAT(repaired.out, HasSubstr("softcot precompute"));
    EXPECT_FALSE(std::filesystem::exists(block));
  }
  ASSERT_EQ(run_softcot(victim.call(place_.path())).status, 0);
  EXPECT_TRUE(victim.outcome(place_.path()) == whole);
}

}  // namespace
}  // namespace softcot::test
