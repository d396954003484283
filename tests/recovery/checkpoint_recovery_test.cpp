// Damage, full disks and killed writers: the newest whole checkpoint is always found, and what is
// damaged is always seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "checkpoints/retention.h"
#include "checkpoints/writer.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/fault_point.h"
#include "runtime/log.h"
#include "support/checkpoints.h"
#include "support/faults.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::sample_state;
using ::testing::HasSubstr;

constexpr const char* kFiles[] = {"state.safetensors", "state.json", "DONE"};

void put(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class CheckpointRecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kSilent);
    write_checkpoint(folder(), sample_state(10));
    write_checkpoint(folder(), sample_state(20));
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  fs::path folder() const { return root_.path() / "checkpoints"; }
  fs::path newest(const std::string& file) const { return folder() / "step-00000020" / file; }

  void expect_damage_is_seen(const std::string& what) {
    const Error error = error_of([&] { read_checkpoint_of_step(folder(), 20); });
    EXPECT_EQ(error.code(), ExitCode::kCheckpoint) << what << ": " << error.what();
  }
  void expect_fallback() {
    const LoadedCheckpoint loaded = read_latest_checkpoint(folder());
    EXPECT_EQ(loaded.state.step, 10u);
    EXPECT_EQ(loaded.state.tensors, sample_state(10).tensors);
  }

  test::TemporaryFolder root_;
};

TEST_F(CheckpointRecoveryTest, EveryFlippedByteIsSeen) {
  std::size_t flips = 0;
  for (const char* file : kFiles) {
    const std::string whole = read_file(newest(file), 1 << 20);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      put(newest(file), damaged);
      expect_damage_is_seen(fmt::format("{} byte {}", file, at));
      ++flips;
    }
    expect_fallback();
    put(newest(file), whole);
  }
  EXPECT_GT(flips, 500u);
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 20u);
}

TEST_F(CheckpointRecoveryTest, EveryTruncationAndGrowthIsSeen) {
  for (const char* file : kFiles) {
    const std::string whole = read_file(newest(file), 1 << 20);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      put(newest(file), whole.substr(0, size));
      expect_damage_is_seen(fmt::format("{} cut to {}", file, size));
    }
    put(newest(file), whole + '\n');
    expect_damage_is_seen(fmt::format("{} grown", file));
    put(newest(file), std::string(whole.size(), '\0'));  // as after a power cut without fsync
    expect_damage_is_seen(fmt::format("{} zeroed", file));
    expect_fallback();
    put(newest(file), whole);
  }
}

TEST_F(CheckpointRecoveryTest, EveryMissingFileIsSeen) {
  for (const char* file : kFiles) {
    const std::string whole = read_file(newest(file), 1 << 20);
    fs::remove(newest(file));
    expect_damage_is_seen(file);
    expect_fallback();
    fs::create_directory(newest(file));  // something else of that name
    expect_damage_is_seen(file);
    fs::remove(newest(file));
    put(newest(file), whole);
  }
}

TEST_F(CheckpointRecoveryTest, FilesOfAnotherStepAreSeen) {
  for (const char* file : kFiles) {
    const std::string whole = read_file(newest(file), 1 << 20);
    put(newest(file), read_file(folder() / "step-00000010" / file, 1 << 20));
    expect_damage_is_seen(file);
    put(newest(file), whole);
  }
}

TEST_F(CheckpointRecoveryTest, FallbackWarnsAndNoneUsableIsAnError) {
  put(newest("state.safetensors"), "");
  set_log_level(LogLevel::kInfo);
  const std::string warned = test::captured_standard_error([&] { expect_fallback(); });
  EXPECT_THAT(warned, HasSubstr("checkpoint of step 20 is passed over"));
  EXPECT_THAT(warned, HasSubstr("state.safetensors"));
  set_log_level(LogLevel::kSilent);
  fs::remove(folder() / "step-00000010" / "DONE");
  const Error error = error_of([&] { read_latest_checkpoint(folder()); });
  EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
  EXPECT_THAT(error.what(), HasSubstr("no checkpoint is usable"));
}

TEST_F(CheckpointRecoveryTest, FullDiskKeepsThePreviousAndLeavesNothing) {
  const auto whole_size = fs::file_size(newest("state.safetensors"));
  for (std::uint64_t limit = 0; limit < whole_size; limit += 64) {
    const test::FileSizeLimit full(limit);
    EXPECT_EQ(error_of([&] { write_checkpoint(folder(), sample_state(30)); }).code(),
              ExitCode::kResources)
        << limit;
  }
  EXPECT_EQ(test::names_in(folder()), (std::vector<std::string>{"step-00000010", "step-00000020"}));
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 20u);
  write_checkpoint(folder(), sample_state(30));  // space is there again: the run goes on
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 30u);
}

class CrashPointTest : public CheckpointRecoveryTest,
                       public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashPointTest, AWholeCheckpointIsFoundAfterwards) {
  const std::string point = GetParam();
  // A new step, then one that is there already and must be replaced.
  for (const std::uint64_t step : {std::uint64_t{30}, std::uint64_t{20}}) {
    const int status = test::status_of_child([&] {
      set_crash_point(point);
      write_checkpoint(folder(), sample_state(step));
    });
    ASSERT_TRUE(WIFSIGNALED(status)) << point << " was not passed";
    const std::uint64_t found = read_latest_checkpoint(folder()).state.step;
    const bool published = point == "checkpoint.renamed" || point == "checkpoint.end";
    EXPECT_EQ(found, published ? 30u : 20u) << point;
    EXPECT_EQ(read_checkpoint_of_step(folder(), 20).state.tensors, sample_state(20).tensors);
    remove_leftovers(folder());
    for (const std::string& name : test::names_in(folder()))
      EXPECT_TRUE(step_of_name(name)) << name;
  }
  write_checkpoint(folder(), sample_state(30));
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 30u);
}

INSTANTIATE_TEST_SUITE_P(Points, CrashPointTest,
                         ::testing::Values("checkpoint.start", "checkpoint.folder-made",
                                           "checkpoint.tensors-written", "checkpoint.json-written",
                                           "checkpoint.done-written", "checkpoint.renamed",
                                           "checkpoint.end", "atomic-file.opened",
                                           "atomic-file.written", "atomic-file.synced",
                                           "atomic-file.renamed"));

TEST_F(CheckpointRecoveryTest, KilledAtEveryFileOfTheWrite) {
  // Each of the three files passes these points once: 12 further moments of one save.
  for (const char* point :
       {"atomic-file.opened", "atomic-file.written", "atomic-file.synced", "atomic-file.renamed"}) {
    for (int file = 1; file <= 3; ++file) {
      const int status = test::status_of_child([&] {
        set_crash_point(point, file);
        write_checkpoint(folder(), sample_state(30));
      });
      ASSERT_TRUE(WIFSIGNALED(status)) << point << " " << file;
      EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 20u) << point << " " << file;
    }
  }
  EXPECT_EQ(remove_leftovers(folder()).leftovers, 12u);
}

TEST_F(CheckpointRecoveryTest, KilledWhileOldOnesAreRemoved) {
  const int status = test::status_of_child([&] {
    set_crash_point("retention.hidden");
    apply_retention(folder(), {.keep_last = 1});
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(test::steps_in(folder()), (std::vector<std::uint64_t>{20}));
  EXPECT_EQ(remove_leftovers(folder()).leftovers, 1u);
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 20u);
}

TEST_F(CheckpointRecoveryTest, KilledAtRandomTimes) {
  std::uint64_t expected_at_least = 20;
  for (int round = 0; round < 30; ++round) {
    const pid_t writer = fork();
    if (writer == 0) {
      for (std::uint64_t step = expected_at_least + 1;; ++step) {
        write_checkpoint(folder(), sample_state(step));
        apply_retention(folder(), {.keep_last = 2});
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(1500 + 2317 * round));
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    const LoadedCheckpoint loaded = read_latest_checkpoint(folder());
    EXPECT_GE(loaded.state.step, expected_at_least);
    EXPECT_EQ(loaded.state.tensors, sample_state(loaded.state.step).tensors);
    EXPECT_EQ(loaded.state.step, test::steps_in(folder()).back()) << "a visible one was not whole";
    expected_at_least = loaded.state.step;
    remove_leftovers(folder());
  }
  EXPECT_GT(expected_at_least, 20u);
}

}  // namespace
}  // namespace softcot
