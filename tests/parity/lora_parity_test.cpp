#include <ATen/core/grad_mode.h>

// LoRA against PEFT's loss and gradients, on every mesh that the ranks of this run allow, and
// against itself: sharded, with dropout, merged. Fixture tensors are described in
// tests/fixtures/make.py.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "model/transformer.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"
#include "trainer/train_step.h"

namespace softcot::test {
namespace {

class LoraParity : public ::testing::TestWithParam<const char*> {
 protected:
  std::string name_ = GetParam();
  std::map<std::string, at::Tensor> tensors_ =
      load_case(fixture_folder() / (name_ + ".lora.safetensors"));
  std::filesystem::path model_ = fixture_folder() / name_;
  ModelConfig config_ = read_model_config(model_);

  template <typename Check>
  void on_every_mesh(Check check) const {
    for (const int tp : tp_sizes(model_, world().size())) {
      SCOPED_TRACE("tp " + std::to_string(tp));
      const auto groups = ProcessGroups::make(world(), tp);
      Transformer backbone(model_, {.device = test_device()}, *groups.tp);
      check(backbone, groups);
    }
  }

  Lora lora(double dropout) const {
    const LoraOptions options{.rank = tensors_.at("rank").item<std::int64_t>(),
                              .alpha = tensors_.at("alpha").item<double>(),
                              .dropout = dropout};
    std::map<std::string, at::Tensor> pairs;
    for (const auto& [name, tensor] : tensors_) {
      const bool pair = name.rfind("layers.", 0) == 0;
      if (pair && !name.ends_with(".grad")) pairs[name] = tensor;
    }
    return {config_, options, pairs};
  }

  std::vector<SoftRow> rows() const {
    std::vector<SoftRow> rows;
    const auto& ids = tensors_.at("input_ids");
    for (std::int64_t r = 0; r < ids.size(0); ++r) {
      const auto length = tensors_.at("attention_mask")[r].sum().item<std::int64_t>();
      const auto row = ids[r].narrow(0, 0, length).contiguous();
      const auto* data = row.const_data_ptr<std::int64_t>();
      const auto begin =
          (tensors_.at("labels")[r] == -100).logical_and(tensors_.at("attention_mask")[r] == 1);
      rows.push_back({.id = std::to_string(r),
                      .ids = {data, data + length},
                      .target_begin = begin.sum().item<std::int64_t>(),
                      .noise = static_cast<std::uint64_t>(r) + 1});
    }
    return rows;
  }

  /// Loss and gradients of one step that moves nothing.
  double step(const Transformer& backbone, const TrainedParts& parts, Communicator& dp,
              Communicator& tp) const {
    SoftPromptModel model(backbone, {});
    model.set_lora(&*parts.lora);
    AdamW optimizer(parts.parameters(), {.clip = 0}, dp, tp);
    TrainStep train(model, parts, optimizer, dp);
    auto all = rows();
    const Slice mine = even_part(static_cast<std::int64_t>(all.size()), dp.rank(), dp.size());
    std::vector<TrainBatch> batches;
    if (mine.size() > 0) {
      batches.push_back(
          {.rows = {all.begin() + mine.begin, all.begin() + mine.end}, .thoughts = {}});
    }
    return train.run(batches, 0.0).loss;
  }
};

TEST_P(LoraParity, LossAndGradientsOfEveryPair) {
  on_every_mesh([&](Transformer& backbone, const ProcessGroups& groups) {
    TrainedParts parts;
    parts.lora = lora(0.0);
    parts.to(test_device());
    EXPECT_NEAR(step(backbone, parts, *groups.dp, *groups.tp) / tensors_.at("loss").item<double>(),
                1.0, 5e-6);
    for (const auto& [name, tensor] : parts.lora->tensors()) {
      EXPECT_LE(relative_difference(tensor.grad(), tensors_.at(name + ".grad")), 1e-4) << name;
    }
  });
}

TEST_P(LoraParity, DropoutIsTheSameOnEveryMesh) {
  SingleCommunicator alone;
  const Transformer whole(model_, {.device = test_device()}, alone);
  TrainedParts reference;
  reference.lora = lora(0.4);
  reference.to(test_device());
  const double loss = step(whole, reference, alone, alone);
  EXPECT_GT(std::abs(loss / tensors_.at("loss").item<double>() - 1.0), 1e-3);
  on_every_mesh([&](Transformer& backbone, const ProcessGroups& groups) {
    TrainedParts parts;
    parts.lora = lora(0.4);
    parts.to(test_device());
    EXPECT_NEAR(step(backbone, parts, *groups.dp, *groups.tp) / loss, 1.0, 5e-6);
    const auto expected = reference.lora->tensors();
    const auto got = parts.lora->tensors();
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_LE(relative_difference(got[i].second.grad(), expected[i].second.grad()), 1e-4)
          << got[i].first;
    }
  });
}

// Every kind of matrix is changed: what is sharded by rows, by columns, stacked and replicated.
TEST_P(LoraParity, MergedEqualsUnmergedForAllTargets) {
  const at::NoGradGuard no_grad;
  const auto all = all_lora_targets();
  const LoraOptions options{
      .rank = 3, .alpha = 6, .dropout = 0, .targets = {all.begin(), all.end()}};
  const Lora first = Lora::random(config_, options, 5);
  std::map<std::string, at::Tensor> pairs;
  for (const auto& [name, tensor] : first.tensors()) pairs[name] = tensor + 0.1;  // B is not zero
  Lora lora(config_, options, pairs);
  lora.to(test_device());
  const auto ids = tensors_.at("input_ids")[0].to(test_device());
  const std::vector<PackedRow> rows = {{.tokens = ids.size(0), .past = {}, .own = {}}};
  on_every_mesh([&](Transformer& backbone, const ProcessGroups&) {
    const auto inputs = backbone.embed(ids);
    const auto plain = backbone.forward(inputs, rows);
    const auto changed = backbone.forward(inputs, rows, &lora);
    backbone.merge(lora);
    EXPECT_GT(relative_difference(changed, plain), 1e-2);
    EXPECT_LE(relative_difference(backbone.forward(inputs, rows), changed), 2e-5);
  });
}

INSTANTIATE_TEST_SUITE_P(Families, LoraParity, ::testing::Values("llama", "qwen2"));

}  // namespace
}  // namespace softcot::test
