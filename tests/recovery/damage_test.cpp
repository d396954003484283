// Changed bytes in what a run leaves behind: found and told, or harmless; never another value.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "evaluation/prompt_log.h"
#include "evaluation/report_run.h"
#include "evaluation/sample_log.h"
#include "evaluation/work_log.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/random.h"
#include "support/faults.h"
#include "support/files.h"
#include "support/job.h"
#include "support/tiny_tokenizer.h"
#include "support/victim.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

/// Of each kind, to each file.
constexpr int kDamages = 200;

/// One bit flipped, or the end cut off.
struct Change {
  bool cut = false;
  std::size_t at = 0;
  /// Of what no value depends on: the word that names a seal, the newline after a last line.
  bool harmless = false;
  bool at_line_end = false;  ///< Cut so that whole lines are left, or none.
  std::string what = {};
};

bool names_a_seal(const std::string& text, std::size_t at) {
  constexpr std::string_view kName = "xxh3_128";
  const std::size_t begin = text.rfind(kName, at);
  return begin != std::string::npos && at < begin + kName.size();
}

/// Calls `check` with each change of a file in its place, made. Every tenth cut is at a line's end.
void with_damage(const fs::path& file, const std::function<void(const Change&)>& check) {
  const std::string whole = slurp(file);
  RandomStream random(51, RandomPurpose::kTest);
  for (int i = 0; i < 2 * kDamages; ++i) {
    Change change{.cut = i >= kDamages, .at = random.below(whole.size())};
    std::string bytes = whole;
    if (change.cut) {
      if (i % 10 == 0) change.at = whole.rfind('\n', change.at) + 1;
      bytes.resize(change.at);
      change.at_line_end = bytes.empty() || bytes.back() == '\n';
      change.harmless = whole[change.at] == '\n';
      change.what = file.string() + " cut to " + std::to_string(change.at);
    } else {
      bytes[change.at] = static_cast<char>(bytes[change.at] ^ (1 << random.below(8)));
      change.harmless = names_a_seal(whole, change.at);
      change.what = file.string() + ", a bit of byte " + std::to_string(change.at);
    }
    spill(file, bytes);
    check(change);
  }
  spill(file, whole);
}

/// How many flips and how many cuts were found.
struct Found {
  int flips = 0;
  int cuts = 0;

  void add(const Change& change, bool found) { (change.cut ? cuts : flips) += found ? 1 : 0; }
  void print(const fs::path& file, const char* others) const {
    std::cout << file.filename().string() << ": " << flips << " of " << kDamages << " flips and "
              << cuts << " of " << kDamages << " cuts found; the others " << others << "\n";
  }
};

/// What `read` gives; nothing where it refuses the file and names it.
template <typename Read>
auto refused_or(const fs::path& file, const Read& read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(file.string()));
    return std::nullopt;
  }
}

/// A file that is one sealed object: damage is refused, but for what no value depends on.
void expect_refused_or_the_same(const fs::path& file) {
  const auto read = [&] {
    nlohmann::json json = read_json_file(file);
    std::erase_if(json.get_ref<nlohmann::json::object_t&>(),
                  [](const auto& item) { return item.first.size() == 8; });  // the seal's name
    return json;
  };
  const nlohmann::json whole = read();
  Found found;
  with_damage(file, [&](const Change& change) {
    const auto got = refused_or(file, read);
    found.add(change, !got);
    EXPECT_TRUE(!got || change.harmless) << change.what;
    EXPECT_EQ(got.value_or(whole), whole) << change.what;
  });
  found.print(file, "hit the seal's name or the last newline");
}

/// Whether `part` is `whole` but for items that are left out.
template <typename Item>
bool is_part(const std::vector<Item>& part, const std::vector<Item>& whole) {
  auto next = whole.begin();
  for (const Item& item : part) {
    next = std::find(next, whole.end(), item);
    if (next == whole.end()) return false;
    ++next;
  }
  return true;
}

/// A file of lines: `read` gives an item for each and warns of those that it leaves out, or
/// refuses. Lines that are cut off at an end leave no trace.
template <typename Read>
void expect_told_and_true(const fs::path& file, const Read& read) {
  const auto whole = read();
  Found found;
  with_damage(file, [&](const Change& change) {
    std::optional<decltype(read())> got;
    const std::string said = captured_standard_error([&] { got = refused_or(file, read); });
    const bool told = !got || !said.empty();
    found.add(change, told);
    EXPECT_TRUE(change.harmless || told != change.at_line_end) << change.what;
    if (!got) return;
    EXPECT_TRUE(is_part(*got, whole)) << change.what;
    EXPECT_TRUE(told || change.cut || got->size() == whole.size()) << change.what;
  });
  found.print(file, "hit a seal's name or a line's end");
}

class Damage : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    place_ = std::make_unique<TemporaryFolder>();
    const Victim evaluated(trained_project(), Victim::Kind::kEvaluate);
    evaluated.prepare(place_->path());
    const ChildResult result = run_softcot(evaluated.call(place_->path()));
    ASSERT_EQ(result.status, 0) << result.err;
  }
  static void TearDownTestSuite() { place_.reset(); }

  static fs::path run() { return place_->path() / "run"; }

  static std::unique_ptr<TemporaryFolder> place_;
};

std::unique_ptr<TemporaryFolder> Damage::place_;

TEST_F(Damage, OfResultsIsFound) { expect_refused_or_the_same(run() / "results.json"); }

TEST_F(Damage, OfASweepIsFound) {
  const TemporaryFolder folder;
  const Victim sweep(trained_project(), Victim::Kind::kSweep);
  const ChildResult result = run_softcot(sweep.call(folder.path()));
  ASSERT_EQ(result.status, 0) << result.err;
  expect_refused_or_the_same(folder.path() / "sweep/sweep.json");
}

TEST_F(Damage, OfAComparisonIsFound) {
  const TinyProject& project = trained_project();
  const TemporaryFolder folder;
  const auto suite =
      write_text(folder.path() / "suite.cfg",
                 "[suite]\ntitle = Tiny\nsource = nowhere\nseeds = 1\ntasks = gsm8k\nmethods = "
                 "zero_shot_cot\n[model]\npath = " +
                     project.path("backbone").string() +
                     "\n[prompts]\nfile = " + project.path("prompts.txt").string() +
                     "\n[evaluate]\nmax-new-tokens = 2\n[task.gsm8k]\ndata.file = " +
                     project.path("train.jsonl").string() +
                     "\ndata.eval-file = " + project.path("eval.jsonl").string() + "\n");
  const auto out = folder.path() / "out";
  const ChildResult result = run_softcot({"compare", "--suite", suite, "--out", out});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_refused_or_the_same(out / "result.json");
}

TEST_F(Damage, OfSamplesIsRefusedOrLosesTheLastLine) {
  const auto file = run() / "samples/softcot.jsonl";
  ASSERT_EQ(read_samples(file).size(), static_cast<std::size_t>(TinyProject::kEvalQuestions));
  expect_told_and_true(file, [&] { return read_samples(file); });
}

TEST_F(Damage, OfMetricsLeavesALineOut) {
  const auto file = run() / "metrics.jsonl";
  const std::string frozen = read_steps(file).frozen_weights;
  ASSERT_NE(frozen, "");
  expect_told_and_true(file, [&] {
    RunSteps read = read_steps(file);
    EXPECT_THAT(read.frozen_weights, AnyOf(frozen, ""));
    if (read.unreadable > 0) std::cerr << read.unreadable << " lines left out\n";
    return read.steps;
  });
}

TEST_F(Damage, OfPromptsLeavesALineOut) {
  const auto file = run() / "prompts/softcot.jsonl";
  expect_told_and_true(file, [&] {
    const auto prompts = read_prompts(file);
    return std::vector<std::pair<std::string, std::string>>(prompts.begin(), prompts.end());
  });
}

TEST_F(Damage, OfRecordsOfWorkLeavesALineOut) {
  const auto file = run() / "work.jsonl";
  ASSERT_EQ(read_work(file).size(), 3U) << "a training and two evaluations";
  expect_told_and_true(file, [&] { return read_work(file); });
}

}  // namespace
}  // namespace softcot::test
