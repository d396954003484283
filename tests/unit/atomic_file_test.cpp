#include "runtime/atomic_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/append_file.h"
#include "runtime/error.h"
#include "runtime/hidden_name.h"
#include "runtime/host_name.h"
#include "support/faults.h"
#include "support/files.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using ::testing::HasSubstr;

constexpr std::uint64_t kMany = 1 << 30;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(AppendToFile, LeavesNoHalfRecordBehind) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "metrics.jsonl";
  EXPECT_TRUE(append_to_file(path, "first\n"));
  {
    const test::FileSizeLimit full(9);
    EXPECT_FALSE(append_to_file(path, "second\n"));
  }
  EXPECT_EQ(test::slurp(path), "first\n");
  EXPECT_TRUE(append_to_file(path, "third\n"));
  EXPECT_EQ(test::slurp(path), "first\nthird\n");
  EXPECT_FALSE(append_to_file(folder.path(), "a folder\n"));
}

TEST(AtomicFileTest, NothingIsSeenBeforeCommit) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "weights";
  AtomicFile file(path);
  file.write("abc");
  EXPECT_FALSE(fs::exists(path));
  file.commit();
  EXPECT_EQ(read_file(path, kMany), "abc");
  EXPECT_EQ(file.size(), 3u);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFileTest, LargeFileIsWhole) {
  const test::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 700'000; ++i) text += std::to_string(i);
  write_file_atomically(folder.path() / "large", text);
  EXPECT_EQ(read_file(folder.path() / "large", kMany), text);
}

TEST(AtomicFileTest, WithoutCommitTheOldFileStays) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "state with spaces é";
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
  }
  EXPECT_EQ(read_file(path, kMany), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFileTest, FullDiskKeepsTheOldFileAndLeavesNothing) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "state";
  write_file_atomically(path, "old");
  const std::string large(3 << 20, 'x');
  for (const std::uint64_t limit : {0u, 1u, 4096u, 2u << 20}) {
    const test::FileSizeLimit full(limit);
    const Error error = error_of([&] { write_file_atomically(path, large); });
    EXPECT_EQ(error.code(), ExitCode::kResources);
    EXPECT_THAT(error.what(), HasSubstr("state"));
  }
  EXPECT_EQ(read_file(path, kMany), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFileTest, ADeviceWithoutSpaceIsNamedAsSuch) {
  for (const int number : {ENOSPC, EDQUOT}) {
    const Error error = error_of([&] { fail_write(number, "/some/file"); });
    EXPECT_EQ(error.code(), ExitCode::kResources);
    EXPECT_THAT(error.what(), HasSubstr("no space left to write: /some/file"));
  }
  for (const int number : {EROFS, EACCES, ENOENT, ENOTDIR, EISDIR}) {
    EXPECT_EQ(error_of([&] { fail_write(number, "x"); }).code(), ExitCode::kUsage) << number;
  }
  EXPECT_EQ(error_of([&] { fail_write(EIO, "x"); }).code(), ExitCode::kResources);
}

TEST(AtomicFileTest, MissingFolderIsAUsageError) {
  const test::TemporaryFolder folder;
  const Error error = error_of([&] { write_file_atomically(folder.path() / "no" / "file", "x"); });
  EXPECT_EQ(error.code(), ExitCode::kUsage);
  EXPECT_THAT(error.what(), HasSubstr("output folder is missing"));
}

TEST(AtomicFileTest, AFolderInTheWayIsRefusedAndLeavesNothing) {
  const test::TemporaryFolder folder;
  fs::create_directory(folder.path() / "name");
  EXPECT_EQ(error_of([&] { write_file_atomically(folder.path() / "name", "x"); }).code(),
            ExitCode::kUsage);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFileTest, AKilledWriterLeavesTheOldFile) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "state";
  write_file_atomically(path, "old");
  const int status = test::status_of_child([&] {
    AtomicFile file(path);
    file.write(std::string(2 << 20, 'x'));
    raise(SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_file(path, kMany), "old");
}

TEST(AtomicFileTest, TheNextWriterTidiesUpAfterDeadOnes) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "state";
  const auto killed = [&](const fs::path& file) {
    test::status_of_child([&] {
      AtomicFile half(file);
      half.write(std::string(2 << 20, 'x'));
      raise(SIGKILL);
    });
  };
  killed(path);
  EXPECT_EQ(entries(folder.path()), 1u);
  killed(folder.path() / "other-1.json");  // It has tidied up itself before.
  EXPECT_EQ(entries(folder.path()), 1u);
  const fs::path foreign = folder.path() / ".notes-12.tmp";
  const fs::path elsewhere = folder.path() / ".state.other-host-1-0.tmp";
  const fs::path living =
      hidden_name(path).parent_path() / fmt::format(".state.{}-{}-7.tmp", host_name(), getppid());
  for (const fs::path& stays : {foreign, elsewhere, living}) std::ofstream(stays) << "x";
  write_file_atomically(path, "new");
  EXPECT_EQ(entries(folder.path()), 4u);
  EXPECT_EQ(writer_of(living), HiddenWriter::kAlive);
  EXPECT_EQ(writer_of(hidden_name(path)), HiddenWriter::kSelf);
  EXPECT_EQ(writer_of(foreign), HiddenWriter::kNone);
  fs::last_write_time(elsewhere, fs::file_time_type::clock::now() - std::chrono::hours(2));
  EXPECT_EQ(writer_of(elsewhere), HiddenWriter::kGone);
}

TEST(ReadFileTest, RefusesWhatIsNotAFileOfThatSize) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "text";
  write_file_atomically(path, "12345");
  EXPECT_EQ(read_file(path, 5), "12345");
  EXPECT_THAT(error_of([&] { read_file(path, 4); }).what(), HasSubstr("file is too large"));
  EXPECT_EQ(error_of([&] { read_file(folder.path(), 4); }).code(), ExitCode::kInput);
  EXPECT_EQ(error_of([&] { read_file(folder.path() / "none", 4); }).code(), ExitCode::kInput);
  ASSERT_EQ(mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { read_file(folder.path() / "pipe", 4); }).code(), ExitCode::kInput);
}

TEST(MakeFolderTest, MakesAllAboveAndRefusesAFile) {
  const test::TemporaryFolder folder;
  make_folder(folder.path() / "a" / "b");
  make_folder(folder.path() / "a" / "b");
  EXPECT_TRUE(fs::is_directory(folder.path() / "a" / "b"));
  write_file_atomically(folder.path() / "file", "");
  EXPECT_EQ(error_of([&] { make_folder(folder.path() / "file"); }).code(), ExitCode::kUsage);
  EXPECT_EQ(error_of([&] { make_folder(folder.path() / "file" / "x"); }).code(), ExitCode::kUsage);
}

}  // namespace
}  // namespace softcot
