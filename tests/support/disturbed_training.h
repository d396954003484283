#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/job.h"

namespace softcot::test {

/// Trainings of TinyProject in run folders of their own, beside the undisturbed run "trained".
class DisturbedTraining : public ::testing::Test {
 protected:
  static constexpr int kSteps = 12;  // Of the project's configuration.

  static std::filesystem::path run(const std::string& name);
  /// The same before the first call as after a fault.
  static std::vector<std::string> train(const std::string& name,
                                        std::vector<std::string> more = {});
  /// The finished run equals the undisturbed one bit for bit, and nothing is left beside it.
  static void expect_as_undisturbed(const std::string& name);
  /// The same steps over the same rows, with losses within rounding: for another layout.
  static void expect_like_undisturbed(const std::string& name);
  /// A disk with a fault below that run's folder (support/stand_ins/disk.cpp).
  static JobOptions on_disk(const std::string& fault, const std::string& name);
};

}  // namespace softcot::test
