#include "launch/run/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "support/faults.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

using ::testing::HasSubstr;

struct Values {
  int batch = 4;
  double rate = 0.5;
  int tp = 1;
  std::filesystem::path folder = "x";
};

/// Options of two sections that decide a result's worth and two that do not.
class Options {
 public:
  explicit Options(std::vector<std::string> arguments = {}) : set("train", "Train.") {
    set.add_section("train", "Training.");
    set.add("train.batch", &values_.batch, "Rows.", at_least(1));
    set.add("train.rate", &values_.rate, "Rate.", above(0));
    set.add_section("parallel", "Ranks.");
    set.add("parallel.tp", &values_.tp, "Ranks.", at_least(1));
    set.add_section("run", "Folder.");
    set.add("run.folder", &values_.folder, "Folder.");
    set.read(arguments, {});
  }

 private:
  Values values_;

 public:
  OptionSet set;
};

std::string contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

constexpr RunFolder::Reuse kSame = RunFolder::Reuse::kSameConfig;
constexpr RunFolder::Reuse kAny = RunFolder::Reuse::kAnyConfig;

TEST(RunFolder, MakesItsPartsAndSavesTheConfiguration) {
  const test::TemporaryFolder temporary;
  const Options options({"--train.batch=8"});
  const std::filesystem::path folder = temporary.path() / "deep" / "run";
  const RunFolder run(folder, options.set, kSame);
  EXPECT_FALSE(std::filesystem::exists(run.paths().config()));
  run.save_config();
  EXPECT_TRUE(std::filesystem::is_directory(folder / "checkpoints"));
  EXPECT_TRUE(std::filesystem::is_directory(folder / "samples"));
  EXPECT_EQ(contents(run.paths().config()), options.set.effective_config());
  EXPECT_THAT(contents(run.paths().config()), HasSubstr("batch = 8  # command line\n"));
}

TEST(RunFolder, IsReusedByTheSameConfigurationWhateverItsRanks) {
  const test::TemporaryFolder temporary;
  RunFolder(temporary.path(), Options({"--train.batch=8"}).set, kSame).save_config();
  const Options again({"--train.batch=8", "--parallel.tp=2", "--run.folder=y"});
  EXPECT_NO_THROW(RunFolder(temporary.path(), again.set, kSame));
}

TEST(RunFolder, RefusesAnotherConfigurationAndChangesNothing) {
  const test::TemporaryFolder temporary;
  RunFolder(temporary.path(), Options().set, kSame).save_config();
  const std::string before = contents(temporary.path() / "config.cfg");
  const Options other({"--train.batch=8", "--train.rate=0.25"});
  const Error error = test::error_of([&] { RunFolder(temporary.path(), other.set, kSame); });
  EXPECT_EQ(error.code(), ExitCode::kUsage);
  EXPECT_THAT(error.what(), HasSubstr("train.batch was 4, now 8; train.rate was 0.5, now 0.25"));
  EXPECT_EQ(contents(temporary.path() / "config.cfg"), before);
}

TEST(RunFolder, ResumeGoesOnUnderAnotherConfigurationWithAWarning) {
  const test::TemporaryFolder temporary;
  RunFolder(temporary.path(), Options().set, kSame).save_config();
  const Options other({"--train.batch=8"});
  const std::string before = contents(temporary.path() / "config.cfg");
  const std::string warning = test::captured_standard_error([&] {
    const RunFolder run(temporary.path(), other.set, kAny);
    EXPECT_EQ(contents(temporary.path() / "config.cfg"), before);
    run.save_config();
  });
  EXPECT_THAT(warning, HasSubstr("train.batch was 4, now 8"));
  EXPECT_EQ(contents(temporary.path() / "config.cfg"), other.set.effective_config());
}

TEST(RunFolder, HoldsOneJobAtATime) {
  const test::TemporaryFolder temporary;
  const Options options;
  {
    const RunFolder first(temporary.path(), options.set, kSame);
    const Error error = test::error_of([&] { RunFolder(temporary.path(), options.set, kSame); });
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("run folder is in use"));
    EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(getpid())));
  }
  EXPECT_NO_THROW(RunFolder(temporary.path(), options.set, kSame));
}

TEST(RunFolder, OfARefusedJobIsGoneUnlessItWasThereOrHoldsAnything) {
  const test::TemporaryFolder temporary;
  const Options options;
  const auto made = temporary.path() / "made";
  { const RunFolder refused(made, options.set, kSame); }
  EXPECT_FALSE(std::filesystem::exists(made));
  { RunFolder(made, options.set, kSame).save_config(); }
  EXPECT_TRUE(std::filesystem::exists(made / "config.cfg"));
  EXPECT_TRUE(std::filesystem::exists(made / "run.lock"));
  const auto used = temporary.path() / "used";
  {
    const RunFolder refused(used, options.set, kSame);
    std::ofstream(used / "samples" / "one.jsonl") << "{}\n";
  }
  EXPECT_TRUE(std::filesystem::exists(used / "samples" / "one.jsonl"));
  EXPECT_TRUE(std::filesystem::exists(used / "run.lock"));
  { const RunFolder refused(temporary.path(), options.set, kSame); }
  EXPECT_TRUE(std::filesystem::exists(temporary.path() / "run.lock"));
}

TEST(FileLock, WhoWaitedForARemovedFileTakesItsSuccessor) {
  const test::TemporaryFolder temporary;
  const auto path = temporary.path() / "lock";
  auto removed = FileLock::try_take(path);
  ASSERT_TRUE(removed);
  auto waiting = std::async(std::launch::async, [&] { return FileLock::take(path); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  std::filesystem::remove(path);
  removed.reset();
  const FileLock taken = waiting.get();
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_FALSE(FileLock::try_take(path));
}

TEST(RunFolder, NamesADamagedConfiguration) {
  const test::TemporaryFolder temporary;
  std::ofstream(temporary.path() / "config.cfg") << "[train]\nbatch\n";
  const Options options;
  const Error error = test::error_of([&] { RunFolder(temporary.path(), options.set, kSame); });
  EXPECT_EQ(error.code(), ExitCode::kUsage);
  EXPECT_THAT(error.what(), HasSubstr("config.cfg:2"));
}

TEST(RunFolder, PlacesThatCannotBeWrittenAreUsage) {
  const Options options;
  const Error error = test::error_of([&] { RunFolder("/proc/run", options.set, kSame); });
  EXPECT_EQ(error.code(), ExitCode::kUsage);
}

}  // namespace
}  // namespace softcot
