#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "checkpoints/compatibility.h"
#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "checkpoints/retention.h"
#include "checkpoints/writer.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/log.h"
#include "support/checkpoints.h"
#include "support/faults.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::sample_state;
using test::steps_in;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  void write(std::initializer_list<std::uint64_t> steps) {
    for (const std::uint64_t step : steps) write_checkpoint(folder(), sample_state(step));
  }
  fs::path folder() const { return root_.path() / "checkpoints"; }

  test::TemporaryFolder root_;
};

TEST_F(CheckpointTest, WhatIsWrittenIsReadBack) {
  const TrainingState state = sample_state(1200);
  const fs::path path = write_checkpoint(folder(), state);
  EXPECT_EQ(path, folder() / "step-00001200");
  const LoadedCheckpoint loaded = read_checkpoint(path);
  EXPECT_EQ(loaded.path, path);
  EXPECT_EQ(loaded.state.step, 1200u);
  EXPECT_EQ(loaded.state.epoch, state.epoch);
  EXPECT_EQ(loaded.state.samples_seen, state.samples_seen);
  EXPECT_EQ(loaded.state.metadata, state.metadata);
  EXPECT_EQ(loaded.state.tensors, state.tensors);
}

TEST_F(CheckpointTest, FolderHoldsExactlyTheDescribedFiles) {
  write({3});
  EXPECT_EQ(test::names_in(folder()), (std::vector<std::string>{"step-00000003"}));
  EXPECT_EQ(test::names_in(folder() / "step-00000003"),
            (std::vector<std::string>{"DONE", "state.json", "state.safetensors"}));
}

TEST_F(CheckpointTest, EqualStatesGiveEqualBytes) {
  const fs::path first = write_checkpoint(root_.path() / "a", sample_state(5));
  const fs::path second = write_checkpoint(root_.path() / "b", sample_state(5));
  for (const std::string& name : test::names_in(first)) {
    EXPECT_EQ(read_file(first / name, 1 << 20), read_file(second / name, 1 << 20)) << name;
  }
}

TEST_F(CheckpointTest, TheSameStepIsReplaced) {
  write({7});
  TrainingState other = sample_state(7);
  other.epoch = 99;
  write_checkpoint(folder(), other);
  EXPECT_EQ(read_checkpoint_of_step(folder(), 7).state.epoch, 99u);
  EXPECT_EQ(test::names_in(folder()).size(), 1u);
}

TEST_F(CheckpointTest, NamesAreSpelledInOneWayOnly) {
  EXPECT_EQ(checkpoint_name(1200), "step-00001200");
  EXPECT_EQ(checkpoint_name(123456789012), "step-123456789012");
  EXPECT_EQ(step_of_name("step-00001200"), 1200u);
  EXPECT_EQ(step_of_name("step-123456789012"), 123456789012u);
  for (const char* name : {"step-1200", "step-000001200", "step-0000120x", "step--0000001", "step-",
                           "step-99999999999999999999", ".step-00001200", "step-00001200.tmp"}) {
    EXPECT_EQ(step_of_name(name), std::nullopt) << name;
  }
}

TEST_F(CheckpointTest, LatestIsTheNewestByNumber) {
  write({100, 9, 20});
  fs::create_directory(folder() / "step-latest");
  write_file_atomically(folder() / "step-00000999", "a file of that name");
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 100u);
  EXPECT_THAT(steps_in(folder()), ElementsAre(9, 20, 100));
}

TEST_F(CheckpointTest, NoneAtAllIsAnErrorOnlyForTheReader) {
  EXPECT_TRUE(list_checkpoints(folder()).empty());
  const Error error = error_of([&] { read_latest_checkpoint(folder()); });
  EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
  EXPECT_THAT(error.what(), HasSubstr("there is no checkpoint"));
}

TEST_F(CheckpointTest, MissingStepListsThoseThatAreThere) {
  write({10, 20});
  EXPECT_THAT(error_of([&] { read_checkpoint_of_step(folder(), 15); }).what(),
              HasSubstr("(expected one of 10, 20, got 15)"));
}

TEST_F(CheckpointTest, AFolderUnderAnotherStepsNameIsRefused) {
  write({10});
  fs::rename(folder() / "step-00000010", folder() / "step-00000011");
  EXPECT_THAT(error_of([&] { read_latest_checkpoint(folder()); }).what(),
              HasSubstr("no checkpoint is usable"));
}

TEST_F(CheckpointTest, NewerFormatIsNamedAsSuch) {
  write({10});
  const fs::path path = folder() / "step-00000010";
  test::edit_state_json(path, [](nlohmann::json& json) { json["version"] = 2; });
  EXPECT_THAT(error_of([&] { read_checkpoint(path); }).what(),
              HasSubstr("checkpoint has another format version"));
  test::edit_state_json(path, [](nlohmann::json& json) { json["schema"] = "other"; });
  EXPECT_THAT(error_of([&] { read_checkpoint(path); }).what(),
              HasSubstr("not a checkpoint of softcot"));
  test::edit_state_json(path, [](nlohmann::json& json) {
    json.erase("epoch");
    json["schema"] = "softcot-checkpoint";
    json["version"] = 1;
  });
  EXPECT_THAT(error_of([&] { read_checkpoint(path); }).what(), HasSubstr("\"epoch\" is missing"));
}

TEST_F(CheckpointTest, DifferencesAreNamedField) {
  const nlohmann::json mine{{"model", {{"hash", "a"}, {"name", "x"}}}, {"n", 32}, {"new", 1}};
  nlohmann::json theirs = mine;
  EXPECT_NO_THROW(check_compatible(mine, theirs, "w"));
  theirs["n"] = 32.0;
  EXPECT_NO_THROW(check_compatible(mine, theirs, "w"));
  theirs["n"] = 16;
  EXPECT_STREQ(
      error_of([&] { check_compatible(mine, theirs, "step-00000010"); }).what(),
      "error[5] checkpoint is of another run: field \"n\" differs: step-00000010 (expected "
      "32, got 16) — resume with the run's own configuration, or start in another run folder");
  theirs["model"]["hash"] = "b";
  theirs.erase("new");
  theirs["old"] = nullptr;
  const auto differences = metadata_differences(mine, theirs);
  ASSERT_EQ(differences.size(), 4u);
  EXPECT_EQ(differences[0].field, "model.hash");
  EXPECT_EQ(differences[1].field, "n");
  EXPECT_EQ(differences[2].got, "");
  EXPECT_EQ(differences[3].expected, "");
  EXPECT_THAT(error_of([&] { check_compatible(mine, theirs, "w"); }).what(),
              HasSubstr("\"model.hash\" differs (3 more fields differ)"));
}

TEST_F(CheckpointTest, RetentionKeepsTheLastAndEveryNth) {
  write({10, 20, 30, 40, 50, 60, 70});
  const RetentionReport report = apply_retention(folder(), {.keep_last = 2, .keep_every = 30});
  EXPECT_THAT(report.removed, ElementsAre(10, 20, 40, 50));
  EXPECT_THAT(steps_in(folder()), ElementsAre(30, 60, 70));
  EXPECT_EQ(test::names_in(folder()).size(), 3u);
}

TEST_F(CheckpointTest, RetentionCountsOnlyCompleteOnesAndKeepsAtLeastOne) {
  write({10, 20, 30});
  fs::remove(folder() / "step-00000030" / "DONE");
  EXPECT_THAT(apply_retention(folder(), {.keep_last = 0}).removed, ElementsAre(10));
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 20u);
}

TEST_F(CheckpointTest, AFailedDeletionDoesNotStopTheOthers) {
  // So long a path that checkpoints can be listed in it, but not be given their longer hidden
  // names.
  fs::path deep = root_.path();
  while (deep.native().size() < 4060 - 201) deep /= std::string(200, 'd');
  deep /= std::string(4070 - deep.native().size() - 1, 'd');
  fs::create_directories(deep);
  write({10, 20, 30});
  for (const auto& entry : list_checkpoints(folder())) {
    fs::rename(entry.path, deep / entry.path.filename());
  }
  ASSERT_EQ(list_checkpoints(deep).size(), 3u);
  set_log_level(LogLevel::kInfo);
  RetentionReport report;
  const std::string warned =
      test::captured_standard_error([&] { report = apply_retention(deep, {.keep_last = 1}); });
  EXPECT_EQ(report.failed, 2u);
  EXPECT_TRUE(report.removed.empty());
  EXPECT_THAT(warned, HasSubstr("step-00000020 could not be removed"));
  EXPECT_EQ(list_checkpoints(deep).size(), 3u);
}

TEST_F(CheckpointTest, AFolderThatCannotBeListedFailsNothing) {
  write_file_atomically(root_.path() / "file", "x");
  EXPECT_EQ(apply_retention(root_.path() / "file", {}).failed, 1u);
  EXPECT_EQ(apply_retention(root_.path() / "none", {}).failed, 0u);
}

TEST_F(CheckpointTest, LeftoversOfDeadWritersGo) {
  write({10});
  const pid_t dead = test::dead_process();
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  const auto hidden = [&](const std::string& name) {
    fs::create_directory(folder() / name);
    write_file_atomically(folder() / name / "state.safetensors", "half");
    return folder() / name;
  };
  const fs::path ours = hidden(fmt::format(".step-00000020.{}-{}-0.tmp", host, dead));
  const fs::path living = hidden(fmt::format(".step-00000020.{}-{}-0.tmp", host, getppid()));
  const fs::path elsewhere = hidden(".step-00000020.other-host-1-0.tmp");
  const fs::path long_ago = hidden(".step-00000030.other-host-1-0.tmp");
  fs::last_write_time(long_ago, fs::file_time_type::clock::now() - std::chrono::hours(2));
  const fs::path foreign = hidden(".something.tmp");
  const fs::path half = hidden("step-00000040");
  EXPECT_EQ(remove_leftovers(folder()).leftovers, 3u);
  EXPECT_FALSE(fs::exists(ours));
  EXPECT_TRUE(fs::exists(living));
  EXPECT_TRUE(fs::exists(elsewhere));
  EXPECT_FALSE(fs::exists(long_ago));
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_FALSE(fs::exists(half));
  EXPECT_EQ(read_latest_checkpoint(folder()).state.step, 10u);
  EXPECT_EQ(remove_leftovers(root_.path() / "none").failed, 0u);
}

}  // namespace
}  // namespace softcot
