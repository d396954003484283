// Ranks that no longer hold the same: one flipped bit of one rank's trained weights ends the
// training before it enters an update or a checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"
#include "trainer/replica_check.h"
#include "trainer/train_loop.h"

namespace softcot::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void flip_a_bit(const at::Tensor& tensor, std::int64_t element, int bit) {
  auto* number = static_cast<std::uint32_t*>(tensor.detach().data_ptr()) + element;
  *number ^= 1U << bit;
}

class ReplicaCheck : public ::testing::Test {
 protected:
  explicit ReplicaCheck(int tp = 1) : groups_(ProcessGroups::make(world(), tp)) {
    for (int r = 0; r < 4; ++r) {
      Row row{.id = std::to_string(r), .ids = {}, .thoughts = {3, 2}, .target_begin = 6};
      for (int t = 0; t < 9 + r; ++t) row.ids.push_back(8 + 13 * r + 5 * t);
      rows_.push_back(row);
    }
    parts_.task = TaskVectors::zeros(2, 64);
    options_.steps = 3;
    options_.check_replicas_every = 1;
  }

  void train(const std::function<bool()>& after_step) {
    ThoughtRows rows(rows_);
    SoftPromptModel model(backbone_, {});
    TrainLoop loop(model, parts_, {{.stage = {0, 3}, .rows = &rows}}, options_, groups_,
                   {.metrics = folder_.path() / "metrics.jsonl",
                    .checkpoints = folder_.path() / "checkpoints"},
                   {{"run", "test"}});
    loop.run(after_step);
  }

  void expect_found(const std::function<bool()>& after_step) {
    try {
      train(after_step);
      FAIL() << "nothing was found";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kNumerics);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("hold other bits"), HasSubstr("task.vectors"),
                                      HasSubstr("rank " + std::to_string(world().size() - 1))));
    }
    world().world_group()->barrier();
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "checkpoints"));
  }

  TemporaryFolder folder_;
  ProcessGroups groups_;
  Transformer backbone_{fixture_folder() / "llama", {}, *groups_.tp};
  std::vector<Row> rows_;
  TrainedParts parts_;
  TrainOptions options_;
};

class ShardCheck : public ReplicaCheck {
 protected:
  ShardCheck() : ReplicaCheck(world().size() == 3 ? 1 : world().size()) {}  // of 8 heads
};

TEST_F(ReplicaCheck, FindsNothingWhereNothingIs) {
  train([] { return false; });
  require_same_replicas(parts_.parameters(), groups_);
}

TEST_F(ReplicaCheck, NamesTheReplicaWithAFlippedBit) {
  if (world().size() == 1) return;  // nobody to differ from
  expect_found([&] {
    if (world().rank() == world().size() - 1) flip_a_bit(parts_.task->vectors(), 17, 3);
    return false;
  });
}

// After an update replicas have the owner's values anew; the ranks of one copy of a model do not.
TEST_F(ShardCheck, NamesTheRankBeforeACheckpointIsWritten) {
  if (groups_.mesh.tp() == 1) return;
  options_.check_replicas_every = 1000;
  expect_found([&] {
    if (world().rank() == world().size() - 1) flip_a_bit(parts_.task->vectors(), 17, 3);
    return true;
  });
}

}  // namespace
}  // namespace softcot::test
