// The proof that training leaves the backbone alone: a weight that changes on one rank is found on
// all, and one that does not change is vouched for in the metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"
#include "trainer/train_loop.h"

namespace softcot::test {
namespace {

class FrozenWeights : public ::testing::Test {
 protected:
  FrozenWeights() {
    for (int r = 0; r < 4; ++r) {
      Row row{.id = std::to_string(r), .ids = {}, .thoughts = {3, 2}, .target_begin = 6};
      for (int t = 0; t < 9 + r; ++t) row.ids.push_back(8 + 13 * r + 5 * t);
      rows_.push_back(row);
    }
    parts_.task = TaskVectors::zeros(2, 64);
    options_.steps = 2;
  }

  void train(const std::function<bool()>& stop) {
    ThoughtRows rows(rows_);
    SoftPromptModel model(backbone_, {});
    TrainLoop loop(model, parts_, {{.stage = {0, 2}, .rows = &rows}}, options_, groups_,
                   {.metrics = metrics_, .checkpoints = folder_.path()}, {{"run", "test"}});
    loop.run(stop);
  }

  /// Moves one number of one weight, no further than rounding to bfloat16 would.
  void move_a_weight() {
    const auto weights = load_case(fixture_folder() / "llama" / "model.safetensors");
    backbone_.load_weights([&](const std::string& name, at::IntArrayRef) {
      auto tensor = weights.at(name).clone();
      if (name == "model.layers.1.mlp.down_proj.weight") tensor[5][7] *= 1.001;
      return tensor;
    });
  }

  TemporaryFolder folder_;
  std::filesystem::path metrics_ = folder_.path() / "metrics.jsonl";
  ProcessGroups groups_ = ProcessGroups::make(world(), 1);
  Transformer backbone_{fixture_folder() / "llama", {}, *groups_.tp};
  std::vector<Row> rows_;
  TrainedParts parts_;
  TrainOptions options_;
};

TEST_F(FrozenWeights, AreVouchedForWhenTheyStay) {
  const std::string before = backbone_.content_hash();
  train([] { return false; });
  EXPECT_EQ(backbone_.content_hash(), before);
  if (world().rank() != 0) return;
  std::ifstream file(metrics_);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(text, ::testing::HasSubstr(before));
}

TEST_F(FrozenWeights, AChangeOnOneRankIsFoundOnAll) {
  const bool mine = world().rank() == world().size() - 1;
  try {
    train([&] {
      if (mine) move_a_weight();
      return false;
    });
    FAIL() << "nothing was found";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("frozen weight"));
  }
}

}  // namespace
}  // namespace softcot::test
