#include <ATen/core/grad_mode.h>

// Full fine-tuning and the sharded optimizer: every mesh makes the steps of one rank, and a state
// that one mesh saved another goes on from.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "model/transformer.h"
#include "runtime/error.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"
#include "trainer/train_step.h"

namespace softcot::test {
namespace {

using State = std::map<std::string, at::Tensor>;

std::vector<SoftRow> rows_of_step(int step) {
  std::vector<SoftRow> rows;
  for (int r = 0; r < 5; ++r) {
    SoftRow row{.id = std::to_string(r), .ids = {}, .target_begin = 4};
    for (int t = 0; t < 9 + 3 * r; ++t) row.ids.push_back(8 + (37 * t + 11 * r + 5 * step) % 500);
    rows.push_back(row);
  }
  return rows;
}

/// A model in training as one rank of a mesh holds it.
struct Training {
  Training(const std::filesystem::path& folder, Communicator& replicas, Communicator& tp)
      : dp(replicas), backbone(folder, {}, tp), model(backbone, {}) {
    backbone.train_weights();
    parts.weights = backbone.trained_weights();
    optimizer = std::make_unique<AdamW>(parts.parameters(), OptimizerOptions{.clip = 0.5}, dp, tp);
    step = std::make_unique<TrainStep>(model, parts, *optimizer, dp);
  }

  StepResult run(int number) const {
    const auto all = rows_of_step(number);
    const Slice mine = even_part(static_cast<std::int64_t>(all.size()), dp.rank(), dp.size());
    std::vector<TrainBatch> batches;
    for (std::int64_t r = mine.begin; r < mine.end; ++r) {
      batches.push_back({.rows = {all[r]}, .thoughts = {}});
    }
    return step->run(batches, 1e-3);
  }

  State save() const {
    State state;
    optimizer->save(
        [&](const std::string& name, const at::Tensor& whole) { state[name] = whole.clone(); });
    return state;
  }

  Communicator& dp;
  Transformer backbone;
  SoftPromptModel model;
  TrainedParts parts;
  std::unique_ptr<AdamW> optimizer;
  std::unique_ptr<TrainStep> step;
};

// llama-assistant has a tied head, qwen2 biases.
class FullTraining : public ::testing::TestWithParam<const char*> {};

TEST_P(FullTraining, EveryMeshMakesTheStepsOfOneRankAndGoesOnFromItsState) {
  const auto folder = fixture_folder() / GetParam();
  SingleCommunicator alone;
  Training reference(folder, alone, alone);
  std::vector<StepResult> expected;
  const State before = reference.save();
  for (int s = 0; s < 2; ++s) expected.push_back(reference.run(s));
  const State middle = reference.save();
  expected.push_back(reference.run(2));
  const State after = reference.save();
  EXPECT_GT(largest_difference(after.at("backbone.model.norm.weight"),
                               before.at("backbone.model.norm.weight")),
            1e-4);

  for (const int tp : tp_sizes(folder, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    SCOPED_TRACE(groups.mesh.describe());
    if (read_model_config(folder).kv_heads % tp != 0) continue;
    {
      Training training(folder, *groups.dp, *groups.tp);
      for (int s = 0; s < 3; ++s) {
        const auto result = training.run(s);
        EXPECT_NEAR(result.loss / expected[s].loss, 1.0, 1e-5) << s;
        EXPECT_NEAR(result.gradient_norm / expected[s].gradient_norm, 1.0, 1e-4) << s;
      }
      const State state = training.save();
      ASSERT_EQ(state.size(), after.size());
      for (const auto& [name, tensor] : state) {
        ASSERT_EQ(tensor.sizes(), after.at(name).sizes()) << name;
        // A step of AdamW is at most the learning rate, whichever way rounding turned it.
        if (!name.ends_with("exp_avg") && !name.ends_with("exp_avg_sq")) {
          EXPECT_LE((tensor - after.at(name)).abs().mean().item<double>(), 1e-5) << name;
        }
      }
    }
    Training resumed(folder, *groups.dp, *groups.tp);
    resumed.optimizer->load(
        [&](const std::string& name, at::Tensor& whole) { whole.copy_(middle.at(name)); });
    const State loaded = resumed.save();
    for (const auto& [name, tensor] : middle) EXPECT_TRUE(tensor.equal(loaded.at(name))) << name;
    EXPECT_NEAR(resumed.run(2).loss / expected[2].loss, 1.0, 1e-6);
  }
}

TEST_P(FullTraining, WeightsComeBackIntoAnotherModel) {
  const auto folder = fixture_folder() / GetParam();
  SingleCommunicator alone;
  Training trained(folder, alone, alone);
  trained.run(0);
  const State state = trained.save();
  for (const int tp : tp_sizes(folder, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    SCOPED_TRACE(groups.mesh.describe());
    Transformer fresh(folder, {}, *groups.tp);
    fresh.load_weights(
        [&](const std::string& name, at::IntArrayRef) { return state.at("backbone." + name); });
    const at::NoGradGuard no_grad;
    const auto rows = rows_of_step(7);
    const auto got = SoftPromptModel(fresh, {}).score(rows, {}).nll;
    EXPECT_LE(relative_difference(got, trained.model.score(rows, {}).nll), 1e-5);
  }
}

TEST_P(FullTraining, RefusesWhatItCannotTrain) {
  const auto folder = fixture_folder() / GetParam();
  SingleCommunicator alone;
  Transformer narrow(folder, {.dtype = at::kBFloat16}, alone);
  try {
    narrow.train_weights();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(error.problem().where, "model.dtype");
  }
}

INSTANTIATE_TEST_SUITE_P(Models, FullTraining, ::testing::Values("llama-assistant", "qwen2"));

}  // namespace
}  // namespace softcot::test
