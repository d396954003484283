#include "runtime/stop_signal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "runtime/error.h"
#include "support/faults.h"

namespace softcot {
namespace {

using test::status_of_child;

class StopSignalTest : public ::testing::Test {
 protected:
  void SetUp() override { clear_stop_request(); }
  void TearDown() override { clear_stop_request(); }
};

TEST_F(StopSignalTest, ChosenSignalsAskForAStop) {
  for (const int number : {SIGTERM, SIGUSR1, SIGINT}) {
    clear_stop_request();
    const StopSignals signals;
    EXPECT_FALSE(stop_requested());
    raise(number);
    EXPECT_TRUE(stop_requested());
    EXPECT_EQ(stop_signal(), number);
  }
}

TEST_F(StopSignalTest, TheFirstSignalIsKept) {
  const StopSignals signals{SIGUSR2};
  raise(SIGUSR2);
  raise(SIGINT);
  raise(SIGUSR2);
  EXPECT_EQ(stop_signal(), SIGUSR2);
}

TEST_F(StopSignalTest, SecondInterruptEndsTheProcess) {
  const int status = status_of_child([] {
    const StopSignals signals;
    raise(SIGINT);
    if (!stop_requested()) _exit(1);
    raise(SIGINT);
    _exit(2);
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST_F(StopSignalTest, HandlersOfBeforeComeBack) {
  const int status = status_of_child([] {
    { const StopSignals signals; }
    raise(SIGTERM);
    _exit(2);
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST_F(StopSignalTest, SignalsThatWereNotChosenKeepTheirMeaning) {
  const int status = status_of_child([] {
    const StopSignals signals{SIGTERM};
    raise(SIGUSR1);
    _exit(2);
  });
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(StopSignalTest, UncatchableSignalIsRefusedAndNothingStaysReplaced) {
  EXPECT_EQ(test::error_of([] {
              const StopSignals signals{SIGTERM, SIGKILL};
            }).code(),
            ExitCode::kUsage);
  struct sigaction now {};
  sigaction(SIGTERM, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST_F(StopSignalTest, ProgramsMayAskToo) {
  request_stop();
  EXPECT_TRUE(stop_requested());
  EXPECT_EQ(stop_signal(), 0);
}

}  // namespace
}  // namespace softcot
