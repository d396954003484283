// How the GPUs of a machine are divided among the steps that run on it at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launch/sweep/gpu_slots.h"
#include "runtime/error.h"
#include "runtime/gpus.h"

namespace softcot::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> slots(int gpus, int jobs, int ranks, LocalGroup group = {}) {
  std::vector<std::string> names;
  for (int i = 0; i < gpus; ++i) names.push_back(std::to_string(i));
  WorkOptions options;
  options.jobs = jobs;
  options.ranks = ranks;
  return divide_gpus(names, options, group);
}

TEST(GpuSlots, EachHasItsOwn) {
  EXPECT_THAT(slots(8, 8, 1), ElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
  EXPECT_THAT(slots(8, 2, 4), ElementsAre("0,1,2,3", "4,5,6,7"));
  EXPECT_THAT(slots(8, 2, 1, {.index = 0, .count = 4}), ElementsAre("0", "1"));
  EXPECT_THAT(slots(8, 2, 1, {.index = 3, .count = 4}), ElementsAre("6", "7"));
  EXPECT_THAT(slots(8, 1, 2, {.index = 1, .count = 4}), ElementsAre("2,3"));
}

TEST(GpuSlots, TheOnlySlotOfAMachineIsLeftAlone) {
  EXPECT_THAT(slots(1, 1, 4), IsEmpty());
  EXPECT_THAT(slots(8, 1, 8), IsEmpty());
}

TEST(GpuSlots, TooFewAreRefused) {
  EXPECT_THROW(slots(8, 9, 1), Error);
  EXPECT_THROW(slots(8, 3, 3), Error);
  EXPECT_THROW(slots(7, 1, 1, {.index = 0, .count = 8}), Error);
  // A launcher that told a smaller number of ranks on this machine than there are.
  EXPECT_THROW(slots(5, 1, 2, {.index = 2, .count = 2}), Error);
}

TEST(GpuSlots, NamesForChildrenAreTheListsOrTheGpusOwn) {
  const std::vector<Gpu> two = {{.name = "GPU-a", .model = ""}, {.name = "MIG-b", .model = ""}};
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_for_children(two, std::nullopt), (Names{"GPU-a", "MIG-b"}));
  EXPECT_EQ(names_for_children(two, ""), (Names{"GPU-a", "MIG-b"}));
  EXPECT_EQ(names_for_children(two, "6, 3"), (Names{"6", "3"}));
  EXPECT_EQ(names_for_children(two, "6,3,-1,2"), (Names{"6", "3"}));  // What follows −1 is hidden.
  EXPECT_EQ(names_for_children(two, "MIG-GPU-c/1/0,GPU-8"), (Names{"MIG-GPU-c/1/0", "GPU-8"}));
  EXPECT_EQ(names_for_children(two, "GPU-c"), (Names{"GPU-a", "MIG-b"}));
}

}  // namespace
}  // namespace softcot::test
