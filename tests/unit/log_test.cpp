#include "runtime/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <clocale>

#include "runtime/progress.h"
#include "runtime/warn_once.h"
#include "support/faults.h"

namespace softcot {
namespace {

using test::captured_standard_error;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kInfo);
    set_log_rank(0, 1);
  }
  void TearDown() override { SetUp(); }
};

TEST_F(LogTest, WritesALineToStandardError) {
  EXPECT_THAT(captured_standard_error([] { log_info("step {} of {}", 3, 4); }),
              MatchesRegex("[0-9:]+ I step 3 of 4\n"));
}

TEST_F(LogTest, RankIsPaddedToTheWidestOne) {
  set_log_rank(0, 16);
  EXPECT_THAT(captured_standard_error([] { log_info("hello"); }),
              MatchesRegex("\\[ 0\\] [0-9:]+ I hello\n"));
  set_log_rank(12, 16);
  EXPECT_THAT(captured_standard_error([] { log_warning("hello"); }),
              MatchesRegex("\\[12\\] [0-9:]+ W hello\n"));
}

TEST_F(LogTest, OtherRanksOnlyWarn) {
  set_log_rank(1, 2);
  EXPECT_EQ(captured_standard_error([] { log_info("not shown"); }), "");
  EXPECT_THAT(captured_standard_error([] { log_warning("shown"); }), HasSubstr("shown"));
}

TEST_F(LogTest, AWarningOfAllRanksIsWrittenOnceByTheFirst) {
  set_log_rank(1, 2);
  EXPECT_EQ(captured_standard_error([] { log_warning_once("read by {}", "all"); }), "");
  set_log_rank(0, 2);
  const auto twice = [] {
    log_warning_once("read by {}", "all");
    log_warning_once("read by {}", "all");
    log_warning_once("read by {}", "some");
  };
  EXPECT_THAT(captured_standard_error(twice),
              MatchesRegex("\\[0\\] [0-9:]+ W read by all\n\\[0\\] [0-9:]+ W read by some\n"));
  EXPECT_EQ(captured_standard_error(twice), "");
}

TEST_F(LogTest, LevelLeavesOutWhatIsBelow) {
  EXPECT_EQ(captured_standard_error([] { log_debug("fine"); }), "");
  set_log_level(log_level_of_name("debug"));
  EXPECT_THAT(captured_standard_error([] { log_debug("fine"); }), HasSubstr("D fine"));
  set_log_level(LogLevel::kSilent);
  EXPECT_EQ(captured_standard_error([] { log_warning("no"); }), "");
  EXPECT_EQ(test::error_of([] { log_level_of_name("loud"); }).code(), ExitCode::kUsage);
}

TEST_F(LogTest, BrokenStandardErrorDoesNotEndTheProcess) {
  const int status = test::status_of_child([] {
    int ends[2];
    if (pipe(ends) != 0) _exit(1);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    for (int i = 0; i < 100; ++i) log_warning("nobody listens");
    close(STDERR_FILENO);
    log_warning("not even a descriptor");
  });
  EXPECT_EQ(status, 0);
}

TEST_F(LogTest, MissingStandardStreamsAreFilled) {
  const int status = test::status_of_child([] {
    close(STDIN_FILENO);
    close(STDERR_FILENO);
    open_missing_standard_streams();
    const int next = open("/dev/null", O_RDONLY);
    _exit(next > STDERR_FILENO ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
}

TEST(ProgressTest, LineSaysRateAndTimeLeft) {
  EXPECT_EQ(progress_line("precompute", 25, 100, "rows", 10.0, 8),
            "precompute [##......] 25/100 rows (25%), 2.50 rows/s, 30 s left");
  EXPECT_EQ(progress_line("read", 10, 0, "files", 2.0, 8), "read 10 files, 5.00 files/s");
  EXPECT_EQ(progress_line("more than said", 3, 2, "x", 0.0, 4),
            "more than said [####] 3/2 x (100%)");
}

TEST(ProgressTest, DurationsReadWell) {
  EXPECT_EQ(format_duration(45.2), "45 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 05 min");
  EXPECT_EQ(format_duration(-1), "0 s");
}

TEST(ProgressTest, PlainOutputHasOneLineAtTheEnd) {
  const std::string text = captured_standard_error([] {
    Progress progress("rows", 3, "rows", Progress::Style::kLines);
    for (int i = 0; i < 3; ++i) progress.advance(1, "loss 1.5");
    progress.finish();
    progress.finish();
  });
  EXPECT_THAT(text,
              MatchesRegex("[0-9:]+ I rows 3/3 rows \\(100%\\), .* rows/s, took 0 s, loss 1.5\n"));
}

TEST(ProgressTest, TerminalLineIsRedrawnAndEnded) {
  const std::string text = captured_standard_error([] {
    Progress progress("rows", 2, "rows", Progress::Style::kTerminal);
    progress.advance(2);
    progress.finish();
  });
  EXPECT_EQ(text.front(), '\r');
  EXPECT_EQ(text.back(), '\n');
}

TEST(ProgressTest, OtherRanksAreSilent) {
  EXPECT_EQ(captured_standard_error([] {
              Progress progress("rows", 2, "rows", false);
              progress.advance(2);
              progress.finish();
            }),
            "");
}

TEST(ProgressTest, DecimalCommaOfALocaleChangesNothing) {
  const char* const german = std::setlocale(LC_ALL, "de_DE.UTF-8");
  EXPECT_THAT(progress_line("x", 1, 0, "y", 2.0, 0), HasSubstr("0.50 y/s"));
  if (german != nullptr) std::setlocale(LC_ALL, "C");
}

}  // namespace
}  // namespace softcot
