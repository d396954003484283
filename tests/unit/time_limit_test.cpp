#include "runtime/time_limit.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

namespace softcot {
namespace {

/// A loop whose rounds take as long as is said, watched by a clock that starts anywhere.
class TimeLimitTest : public ::testing::Test {
 protected:
  void watch(const TimeLimitOptions& options, std::optional<double> job_end = std::nullopt) {
    limit_.emplace(options, job_end, [this] { return now_; });
  }
  bool round(double seconds) {
    now_ += seconds;
    return limit_->reached();
  }
  /// Rounds of this length before the limit is reached.
  int rounds(double seconds) {
    int count = 0;
    while (count < 1000 && !round(seconds)) ++count;
    return count;
  }

 private:
  double now_ = 1e6;
  std::optional<TimeLimit> limit_;
};

TEST_F(TimeLimitTest, NothingLimitsARunByItself) {
  watch({});
  EXPECT_EQ(rounds(1e4), 1000);
}

TEST_F(TimeLimitTest, OwnMinutesEndThreeRoundsAhead) {
  watch({.max_minutes = 2});
  EXPECT_EQ(rounds(10), 8);  // The ninth ends after 90 s, 30 s ahead.
}

TEST_F(TimeLimitTest, TheLongestRoundCountsAndTheFirstWaitDoesNot) {
  watch({.max_minutes = 10});
  EXPECT_FALSE(round(300));  // Loading, no round of the loop.
  EXPECT_FALSE(round(1));
  EXPECT_FALSE(round(50));   // 351 s, 150 s needed.
  EXPECT_EQ(rounds(1), 98);  // To 449 s; at 450 s no more is left.
  EXPECT_TRUE(round(0));
}

TEST_F(TimeLimitTest, TheJobsEndIsKeptAtLeastTheMarginAway) {
  watch({.margin_seconds = 60}, 100);
  EXPECT_EQ(rounds(1), 39);
  watch({.margin_seconds = 60}, 1000);
  EXPECT_EQ(rounds(100), 6);  // After 700 s three rounds are left.
}

TEST_F(TimeLimitTest, TheEarlierOfTwoEndsCounts) {
  watch({.max_minutes = 1, .margin_seconds = 0}, 1000);
  EXPECT_EQ(rounds(1), 56);
  watch({.max_minutes = 100, .margin_seconds = 0}, 60);
  EXPECT_EQ(rounds(1), 56);
}

TEST_F(TimeLimitTest, AJobThatIsOverStopsAtOnce) {
  watch({}, -5);
  EXPECT_TRUE(round(0));
  EXPECT_TRUE(round(0));
}

TEST(JobEnd, IsReadFromSlurmsVariable) {
  using std::chrono::system_clock;
  const auto now = system_clock::to_time_t(system_clock::now());
  setenv("SLURM_JOB_END_TIME", std::to_string(now + 500).c_str(), 1);
  EXPECT_NEAR(seconds_to_job_end().value(), 500, 2);
  for (const char* none : {"", "NONE", "12x"}) {
    setenv("SLURM_JOB_END_TIME", none, 1);
    EXPECT_FALSE(seconds_to_job_end()) << none;
  }
  unsetenv("SLURM_JOB_END_TIME");
  EXPECT_FALSE(seconds_to_job_end());
}

}  // namespace
}  // namespace softcot
