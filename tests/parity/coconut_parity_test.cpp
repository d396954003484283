#include <ATen/core/grad_mode.h>

// Coconut's loss and the gradients of the whole model against the same in float64, on every mesh
// that the ranks of this run allow, and its cached thoughts against those read anew. Fixture
// tensors are described in tests/fixtures/make.py.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "model/latent_thoughts.h"
#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "model/transformer.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"
#include "trainer/train_step.h"

namespace softcot::test {
namespace {

class CoconutParity : public ::testing::TestWithParam<const char*> {
 protected:
  std::string name_ = GetParam();
  std::map<std::string, at::Tensor> tensors_ =
      load_case(fixture_folder() / (name_ + ".coconut.safetensors"));
  std::filesystem::path model_ = fixture_folder() / name_;

  std::vector<SoftRow> rows() const {
    std::vector<SoftRow> rows;
    const auto& ids = tensors_.at("input_ids");
    const auto& latents = tensors_.at("latent_positions");
    for (std::int64_t r = 0; r < ids.size(0); ++r) {
      const auto row = ids[r].contiguous();
      const auto* data = row.const_data_ptr<std::int64_t>();
      rows.push_back(
          {.id = std::to_string(r),
           .ids = {data, data + row.numel()},
           .thought_begin = latents[r][0].item<std::int64_t>(),
           .thought_count = latents.size(1),
           .target_begin = (tensors_.at("labels")[r] == -100).sum().item<std::int64_t>()});
    }
    return rows;
  }

  /// The fixture's name of a weight, or nothing.
  static std::string fixture_gradient(const std::string& name) {
    if (name == "model.embed_tokens.weight") return "embed_tokens_grad";
    if (name == "model.layers.0.self_attn.q_proj.weight") return "layer0_q_proj_grad";
    if (name == "model.layers.0.mlp.down_proj.weight") return "layer0_down_proj_grad";
    return {};
  }
};

TEST_P(CoconutParity, LossAndGradientsOfTheModel) {
  for (const int tp : tp_sizes(model_, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    SCOPED_TRACE(groups.mesh.describe());
    Transformer backbone(model_, {.device = test_device()}, *groups.tp);
    if (backbone.config().kv_heads % tp != 0) continue;
    backbone.train_weights();
    TrainedParts parts;
    parts.weights = backbone.trained_weights();
    parts.filling = Filling::kLatent;
    const SoftPromptModel model(backbone, {});
    AdamW optimizer(parts.parameters(), {.clip = 0}, *groups.dp, *groups.tp);
    TrainStep step(model, parts, optimizer, *groups.dp);
    const auto all = rows();
    const Slice mine =
        even_part(static_cast<std::int64_t>(all.size()), groups.dp_index, groups.mesh.dp());
    std::vector<TrainBatch> batches;
    if (mine.size() > 0) {
      batches.push_back(
          {.rows = {all.begin() + mine.begin, all.begin() + mine.end}, .thoughts = {}});
    }
    const auto result = step.run(batches, /*learning_rate=*/0.0);
    EXPECT_NEAR(result.loss / tensors_.at("loss").item<double>(), 1.0, 5e-6);
    int compared = 0;
    for (const auto& parameter : backbone.trained_weights()) {
      const std::string gradient = fixture_gradient(parameter.name);
      if (gradient.empty()) continue;
      ++compared;
      const auto& whole = tensors_.at(gradient);
      const auto part = whole.narrow(parameter.dim, parameter.part.begin, parameter.part.size());
      const double largest = whole.abs().max().item<double>();
      EXPECT_LE(largest_difference(parameter.value.grad(), part) / largest, 1e-4) << gradient;
    }
    EXPECT_EQ(compared, 3);
  }
}

TEST_P(CoconutParity, ThoughtsFromTheCacheAreThoseReadAnew) {
  for (const int tp : tp_sizes(model_, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    SCOPED_TRACE(groups.mesh.describe());
    const Transformer backbone(model_, {.device = test_device()}, *groups.tp);
    SoftPromptModel model(backbone, {});
    auto rows = this->rows();
    rows[0].thought_count = 2;  // rows may have different numbers
    rows[0].target_begin = rows[0].thought_begin + 2;
    at::Tensor anew;
    {
      const at::AutoGradMode on(true);
      anew = latent_thoughts(model, rows);
    }
    const at::NoGradGuard no_grad;
    const auto cached = latent_thoughts(model, rows);
    ASSERT_EQ(cached.size(0), 6);
    EXPECT_LE(relative_difference(cached, anew), 1e-5);
    const std::vector<std::int64_t> prefix(rows[1].ids.begin(), rows[1].ids.begin() + 5);
    model.share_prefix(prefix);
    EXPECT_LE(relative_difference(latent_thoughts(model, rows), anew), 1e-5);
    // A thought is what the model says there: another prompt has others.
    rows[1].ids[2] += 1;
    EXPECT_GT(relative_difference(latent_thoughts(model, rows), anew), 1e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, CoconutParity, ::testing::Values("llama", "qwen2"));

}  // namespace
}  // namespace softcot::test
