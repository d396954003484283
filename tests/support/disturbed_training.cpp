#include "support/disturbed_training.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/train_outcome.h"
#include "support/victim.h"

namespace softcot::test {

std::filesystem::path DisturbedTraining::run(const std::string& name) {
  return trained_project().path(name);
}

std::vector<std::string> DisturbedTraining::train(const std::string& name,
                                                  std::vector<std::string> more) {
  more.emplace_back("--resume");
  return trained_project().call_in(name, "train", more);
}

void DisturbedTraining::expect_as_undisturbed(const std::string& name) {
  expect_equal(train_outcome(run(name), kSteps), train_outcome(run("trained"), kSteps));
  EXPECT_THAT(leftovers_below(run(name)), ::testing::IsEmpty());
}

void DisturbedTraining::expect_like_undisturbed(const std::string& name) {
  const TrainOutcome got = train_outcome(run(name), kSteps);
  const TrainOutcome expected = train_outcome(run("trained"), kSteps);
  EXPECT_EQ(got.targets, expected.targets);
  ASSERT_EQ(got.losses.size(), expected.losses.size());
  for (std::size_t i = 0; i < got.losses.size(); ++i) {
    EXPECT_LT(std::abs(got.losses[i] / expected.losses[i] - 1), 1e-5) << "step " << i + 1;
  }
  EXPECT_THAT(leftovers_below(run(name)), ::testing::IsEmpty());
}

JobOptions DisturbedTraining::on_disk(const std::string& fault, const std::string& name) {
  JobOptions options;
  options.environment = {{"LD_PRELOAD", SOFTCOT_DISK_STAND_IN},
                         {"SOFTCOT_TEST_DISK", fault + ":" + run(name).string()}};
  return options;
}

}  // namespace softcot::test
