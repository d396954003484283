// Logits, hidden states, losses, gradients and training curves against Transformers' numbers, on
// every mesh that the ranks of this run allow. Fixture tensors are described in
// tests/fixtures/make.py.
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "model/elementwise.h"
#include "model/linear.h"
#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "model/transformer.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"
#include "trainer/train_step.h"

namespace softcot::test {
namespace {

struct ForwardResult {
  at::Tensor hidden, logits;
};

ForwardResult packed_forward(const Transformer& model, const at::Tensor& ids,
                             const at::Tensor& mask) {
  const at::NoGradGuard no_grad;
  std::vector<PackedRow> rows;
  for (std::int64_t r = 0; r < ids.size(0); ++r) {
    rows.push_back({.tokens = mask[r].sum().item<std::int64_t>(), .past = {}, .own = {}});
  }
  const auto packed = ids.masked_select(mask.to(at::kBool)).to(test_device());
  const auto hidden = model.forward(model.embed(packed), rows);
  return {hidden, model.logits(hidden)};
}

class ForwardParity : public ::testing::TestWithParam<const char*> {};

TEST_P(ForwardParity, LogitsAndHiddenStatesInFloat32) {
  const std::string name = GetParam();
  const auto expected = load_case(fixture_folder() / (name + ".forward.safetensors"));
  const auto keep = expected.at("attention_mask").to(at::kBool);
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer model(fixture_folder() / name, {.device = test_device()}, *groups.tp);
    const auto got = packed_forward(model, expected.at("input_ids"), expected.at("attention_mask"));
    EXPECT_LE(largest_difference(got.hidden, expected.at("last_hidden_state").index({keep})), 1e-4);
    EXPECT_LE(largest_difference(got.logits, expected.at("logits").index({keep})), 1e-4);
  }
}

// A bfloat16 number is off by up to 2^-9 of itself. Some ten roundings a layer (weights, and on the
// native path the inputs and outputs of each product) over 3 layers add up, as independent errors
// do, to about sqrt(30) · 2^-9 = 1.1 % of the logits' size, and the norms between them amplify it a
// little: twice that, 2^-5 = 3.1 %, is the bound on the root mean square.
TEST_P(ForwardParity, Bfloat16WeightsStayNear) {
  const std::string name = GetParam();
  const auto expected = load_case(fixture_folder() / (name + ".forward.safetensors"));
  const auto keep = expected.at("attention_mask").to(at::kBool);
  const auto logits = expected.at("logits").index({keep});
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer model(fixture_folder() / name,
                            {.dtype = at::kBFloat16, .device = test_device()}, *groups.tp);
    for (const auto path : {Bf16Matmul::kWiden, Bf16Matmul::kNative}) {
      SCOPED_TRACE("tp " + std::to_string(tp) + (path == Bf16Matmul::kWiden ? " wide" : " native"));
      set_bf16_matmul(path);
      const auto got =
          packed_forward(model, expected.at("input_ids"), expected.at("attention_mask"));
      const double error =
          ((got.logits.cpu() - logits).square().mean().sqrt() / logits.square().mean().sqrt())
              .item<double>();
      EXPECT_LE(error, 1.0 / 32);
      EXPECT_GT(error, 0.0);
      RecordProperty("relative_rms_" + std::to_string(tp), std::to_string(error));
    }
  }
  set_bf16_matmul(Bf16Matmul::kAuto);
}

/// Two rows of which one has a past, through all layers: hidden states, and the gradient of their
/// product with `outer` in the inputs where that is asked for.
struct TwoRows {
  at::Tensor hidden, gradient;
};

TwoRows run_two_rows(const Transformer& model, const at::Tensor& ids, const Lora* lora,
                     const at::Tensor& outer) {
  auto segment = model.new_segment(8);
  at::Tensor inputs;
  {
    const at::NoGradGuard no_grad;
    model.fill(model.embed(ids.narrow(0, 0, 2)), {{.tokens = 2, .past = {}, .own = segment}});
    inputs = model.embed(ids);
  }
  const std::vector<PackedRow> rows = {{.tokens = 1, .past = {segment}, .own = {}},
                                       {.tokens = ids.size(0) - 1, .past = {}, .own = {}}};
  const at::AutoGradMode differentiable(outer.defined());
  const auto leaf = inputs.clone().set_requires_grad(outer.defined());
  const auto hidden = model.forward(leaf, rows, lora);
  if (outer.defined()) (hidden * outer).sum().backward();
  return {hidden.detach(), leaf.grad()};
}

// Frozen layers are run by HostPass, and back by HostGradientPass; with LoRA, here one that adapts
// nothing, by a chain of operators that autograd follows.
TEST_P(ForwardParity, TheSameBitsAsAChainOfOperators) {
  const std::string name = GetParam();
  const auto ids = load_case(fixture_folder() / (name + ".forward.safetensors")).at("input_ids");
  if (!test_device().is_cpu()) return;  // Both are the host's.
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const Transformer model(fixture_folder() / name, {.dtype = dtype}, *groups.tp);
      const auto none = Lora::random(model.config(), {.targets = {}}, 0);
      for (const auto path : {Bf16Matmul::kWiden, Bf16Matmul::kNative}) {
        set_bf16_matmul(path);
        for (const std::int64_t tokens :
             {3, 70, 200}) {  // Few rows in both paths, in one, in none.
          SCOPED_TRACE(fmt::format("tp {}, {}, {} tokens", tp, at::toString(dtype), tokens));
          const auto some = ids.flatten().repeat({200 / ids.numel() + 1}).narrow(0, 0, tokens);
          const auto outer = at::randn({tokens, model.config().hidden},
                                       at::make_generator<at::CPUGeneratorImpl>(5), at::kFloat);
          const auto chained = run_two_rows(model, some, &none, outer);
          EXPECT_TRUE(run_two_rows(model, some, nullptr, {}).hidden.equal(chained.hidden));
          const auto fused = run_two_rows(model, some, nullptr, outer);
          EXPECT_TRUE(fused.hidden.equal(chained.hidden))
              << largest_difference(fused.hidden, chained.hidden);
          EXPECT_TRUE(fused.gradient.equal(chained.gradient))
              << largest_difference(fused.gradient, chained.gradient) << " of "
              << chained.gradient.abs().max();
        }
      }
    }
  }
  set_bf16_matmul(Bf16Matmul::kAuto);
}

// What runs on devices, as far as the host can show it: attention row by row, not in one kernel.
TEST_P(ForwardParity, OperatorsOfDevicesHaveTheHostsNumbers) {
  const std::string name = GetParam();
  const auto ids = load_case(fixture_folder() / (name + ".forward.safetensors")).at("input_ids");
  if (!test_device().is_cpu()) return;
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer model(fixture_folder() / name, {}, *groups.tp);
    const auto some = ids.flatten().narrow(0, 0, 12);
    const auto outer = at::randn({12, model.config().hidden},
                                 at::make_generator<at::CPUGeneratorImpl>(5), at::kFloat);
    const auto host = run_two_rows(model, some, nullptr, outer);
    set_reference_elementwise(true);
    const auto device = run_two_rows(model, some, nullptr, outer);
    set_reference_elementwise(false);
    EXPECT_LE(relative_difference(device.hidden, host.hidden), 1e-5);
    EXPECT_LE(relative_difference(device.gradient, host.gradient), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ForwardParity,
                         ::testing::Values("llama", "llama-assistant", "qwen2", "qwen2-assistant"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

/// This replica's share of a fixture batch, one micro-batch; dp 3 gets unequal shares of 4 rows.
std::vector<TrainBatch> share(const std::vector<SoftRow>& rows, const at::Tensor& thoughts,
                              const ProcessGroups& groups) {
  const Slice mine =
      even_part(static_cast<std::int64_t>(rows.size()), groups.dp_index, groups.mesh.dp());
  if (mine.size() == 0) return {};
  return {{.rows = {rows.begin() + mine.begin, rows.begin() + mine.end},
           .thoughts = thoughts.narrow(0, mine.begin, mine.size()).flatten(0, 1)}};
}

std::vector<std::int64_t> common_prefix(const std::vector<SoftRow>& rows) {
  std::vector<std::int64_t> prefix = rows[0].ids;
  for (const auto& row : rows) {
    std::size_t n = 0;
    while (n < prefix.size() && n < row.ids.size() && prefix[n] == row.ids[n]) ++n;
    prefix.resize(n);
  }
  return prefix;
}

struct Case {
  const char* file;
  const char* backbone;
};

class SoftCotParity : public ::testing::TestWithParam<Case> {};

TEST_P(SoftCotParity, LossAndProjectionGradientsWithEverySwitch) {
  const auto tensors =
      load_case(fixture_folder() / (std::string(GetParam().file) + ".softcot.safetensors"));
  const auto& thoughts = tensors.at("thoughts");
  auto rows = soft_rows(tensors, "", thoughts.size(1));
  const double expected_loss = tensors.at("loss").item<double>();
  for (const int tp : tp_sizes(fixture_folder() / GetParam().backbone, world().size())) {
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(fixture_folder() / GetParam().backbone, {.device = test_device()},
                               *groups.tp);
    for (int bits = 0; bits < 16; ++bits) {
      SCOPED_TRACE(groups.mesh.describe() + ", switches " + std::to_string(bits));
      const WorkSwitches switches{.pack = (bits & 1) != 0,
                                  .target_logits = (bits & 2) != 0,
                                  .frozen_prefix = (bits & 4) != 0,
                                  .shared_prefix = (bits & 8) != 0};
      SoftPromptModel model(backbone, switches);
      // The fixture's rows share no prefix: that of the first row serves one row, the others go
      // without.
      model.share_prefix({rows[0].ids.begin(), rows[0].ids.begin() + 9});
      TrainedParts parts;
      parts.projection.emplace(tensors.at("projection_weight"), tensors.at("projection_bias"));
      parts.to(test_device());
      const Projection& projection = *parts.projection;
      const auto before = projection.weight().detach().clone();
      AdamW optimizer(parts.parameters(), {.clip = 0}, *groups.dp, *groups.tp);
      TrainStep step(model, parts, optimizer, *groups.dp);
      const auto result = step.run(share(rows, thoughts, groups), /*learning_rate=*/0.0);
      EXPECT_NEAR(result.loss / expected_loss, 1.0, 2e-6);
      EXPECT_LE(
          relative_difference(projection.weight().grad(), tensors.at("projection_weight_grad")),
          5e-5);
      EXPECT_LE(relative_difference(projection.bias().grad(), tensors.at("projection_bias_grad")),
                5e-5);
      EXPECT_TRUE(before.equal(projection.weight().detach()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, SoftCotParity,
                         ::testing::Values(Case{"llama", "llama"}, Case{"qwen2", "qwen2"},
                                           Case{"cross", "llama"}),
                         [](const auto& parameter) { return std::string(parameter.param.file); });

class TrajectoryParity : public ::testing::TestWithParam<const char*> {};

TEST_P(TrajectoryParity, TwentySteps) {
  const std::string name = GetParam();
  const auto tensors = load_case(fixture_folder() / (name + ".trajectory.safetensors"));
  const std::int64_t steps = tensors.at("losses").size(0);
  const double peak = tensors.at("learning_rate").item<double>();
  for (const int tp : tp_sizes(fixture_folder() / name, world().size())) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(fixture_folder() / name, {.device = test_device()}, *groups.tp);
    const SoftPromptModel model(backbone, {});
    TrainedParts parts;
    parts.projection.emplace(tensors.at("projection_weight"), tensors.at("projection_bias"));
    parts.to(test_device());
    const Projection& projection = *parts.projection;
    AdamW optimizer(parts.parameters(), {.learning_rate = peak, .clip = 1.0}, *groups.dp,
                    *groups.tp);
    TrainStep step(model, parts, optimizer, *groups.dp);
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::string batch = "batch" + std::to_string(t % 2) + ".";
      const auto& thoughts = tensors.at(batch + "thoughts");
      const auto rows = soft_rows(tensors, batch, thoughts.size(1));
      const double rate = peak * (1.0 - static_cast<double>(t) / static_cast<double>(steps));
      const auto result = step.run(share(rows, thoughts, groups), rate);
      EXPECT_NEAR(result.loss / tensors.at("losses")[t].item<double>(), 1.0, 1e-4) << t;
      EXPECT_NEAR(result.gradient_norm / tensors.at("grad_norms")[t].item<double>(), 1.0, 1e-4)
          << t;
    }
    EXPECT_LE(
        largest_difference(projection.weight().detach(), tensors.at("final_projection_weight")),
        1e-4);
    EXPECT_LE(largest_difference(projection.bias().detach(), tensors.at("final_projection_bias")),
              1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TrajectoryParity, ::testing::Values("llama", "qwen2"));

// One shared prefix that all rows really have.
TEST(SharedPrefix, ChangesNeitherLossNorGradient) {
  const auto tensors = load_case(fixture_folder() / "llama.softcot.safetensors");
  const auto thoughts = tensors.at("thoughts");
  auto rows = soft_rows(tensors, "", thoughts.size(1));
  const std::vector<std::int64_t> prefix = {11, 45, 9, 203, 77, 11, 350};
  for (auto& row : rows) {
    row.ids.insert(row.ids.begin(), prefix.begin(), prefix.end());
    row.thought_begin += static_cast<std::int64_t>(prefix.size());
    row.target_begin += static_cast<std::int64_t>(prefix.size());
  }
  ASSERT_GE(common_prefix(rows).size(), prefix.size());
  for (const int tp : tp_sizes(fixture_folder() / "llama", world().size())) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(fixture_folder() / "llama", {.device = test_device()}, *groups.tp);
    std::vector<at::Tensor> gradients;
    std::vector<double> losses;
    for (const bool shared : {false, true}) {
      SoftPromptModel model(backbone, {.shared_prefix = shared});
      model.share_prefix(prefix);
      EXPECT_EQ(model.shared_tokens(), shared ? 7 : 0);
      TrainedParts parts;
      parts.projection.emplace(tensors.at("projection_weight"), tensors.at("projection_bias"));
      parts.to(test_device());
      const Projection& projection = *parts.projection;
      AdamW optimizer(parts.parameters(), {.clip = 0}, *groups.dp, *groups.tp);
      TrainStep step(model, parts, optimizer, *groups.dp);
      losses.push_back(step.run(share(rows, thoughts, groups), 0.0).loss);
      gradients.push_back(projection.weight().grad().clone());
    }
    EXPECT_NEAR(losses[1] / losses[0], 1.0, 2e-6);
    EXPECT_LE(relative_difference(gradients[1], gradients[0]), 1e-5);
  }
}

}  // namespace
}  // namespace softcot::test
