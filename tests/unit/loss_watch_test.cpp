#include "trainer/loss_watch.h"

#include <gtest/gtest.h>

#include <cmath>

namespace softcot {
namespace {

TEST(LossWatch, NoticesALeapAndSaysFromWhere) {
  LossWatch watch;
  for (int step = 0; step < 100; ++step) {
    EXPECT_FALSE(watch.leap(1.0 + 0.2 * std::sin(step))) << step;
  }
  const auto usual = watch.leap(3.0);
  ASSERT_TRUE(usual);
  EXPECT_NEAR(*usual, 1.0, 0.02);
  EXPECT_FALSE(watch.leap(1.1));
  EXPECT_FALSE(watch.leap(0.0));
}

TEST(LossWatch, TakesNoUsualCourseForALeap) {
  LossWatch falling, noisy, first;
  for (int step = 0; step < 200; ++step) {
    EXPECT_FALSE(falling.leap(8.0 * std::exp(-0.05 * step)));
    EXPECT_FALSE(noisy.leap(step % 7 == 0 ? 2.0 : 0.8)) << step;  // Rows differ that much.
  }
  for (int step = 0; step < 15; ++step) first.leap(0.5);
  EXPECT_FALSE(first.leap(9.0)) << "too few to tell";
  EXPECT_FALSE(noisy.leap(3.0)) << "within six of their deviations";
}

TEST(LossWatch, ALossThatStaysHighIsToldOnceAndNotForEver) {
  LossWatch watch;
  for (int step = 0; step < 64; ++step) watch.leap(1.0);
  int told = 0;
  for (int step = 0; step < 64; ++step) told += watch.leap(4.0) ? 1 : 0;
  EXPECT_GE(told, 1);
  EXPECT_LE(told, 3);
}

}  // namespace
}  // namespace softcot
