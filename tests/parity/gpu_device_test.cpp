#include <ATen/core/grad_mode.h>

// The model on a GPU, where there is one: its numbers are held against the host's.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/soft_prompt.h"
#include "model/trained_parts.h"
#include "model/transformer.h"
#include "support/device.h"
#include "support/fixtures.h"
#include "support/tensors.h"

namespace softcot::test {
namespace {

constexpr std::int64_t kThoughts = 3;
constexpr std::int64_t kAssistantWidth = 24;

std::vector<SoftRow> rows() {
  std::vector<SoftRow> all;
  for (int r = 0; r < 3; ++r) {
    SoftRow row{.id = std::to_string(r), .ids = {}, .target_begin = 12 + r};
    row.thought_begin = 8;
    row.thought_count = kThoughts;
    row.noise = static_cast<std::uint64_t>(r);
    for (int t = 0; t < 20 + 3 * r; ++t) row.ids.push_back(t < 5 ? t : (37 * t + 11 * r) % 500);
    all.push_back(row);
  }
  return all;
}

TrainedParts parts_of(const Transformer& backbone, at::Device device) {
  const auto& config = backbone.config();
  TrainedParts parts;
  parts.projection = Projection::random(kAssistantWidth, config.hidden, 1);
  parts.task = TaskVectors::zeros(kThoughts, config.hidden);
  parts.lora = Lora::random(config, {.rank = 2}, 1);
  parts.to(device);
  return parts;
}

struct Outcome {
  at::Tensor nll;          // [targets]
  at::Tensor logits;       // [rows, V], after the prompt and one more token
  at::Tensor slot_logits;  // the same from copies of the prompts in parts of one segment
  std::vector<at::Tensor> gradients;
};

/// A training step's loss and gradients, then two steps of decoding. Thoughts are on the host, as
/// the cache has them.
Outcome run(const std::string& name, at::Device device, at::ScalarType dtype,
            WorkSwitches switches) {
  SingleCommunicator alone;
  const Transformer backbone(fixture_folder() / name, {.dtype = dtype, .device = device}, alone);
  const TrainedParts parts = parts_of(backbone, device);
  const auto batch = rows();
  const auto thoughts =
      at::arange(3 * kThoughts * kAssistantWidth, at::kFloat).view({-1, kAssistantWidth}).sin();
  SoftPromptModel model(backbone, switches);
  model.share_prefix({0, 1, 2, 3, 4});
  model.set_lora(&*parts.lora);
  Outcome outcome;
  outcome.nll = model.score(batch, parts.soft(model, batch, thoughts)).nll;
  outcome.nll.sum().backward();
  for (const auto& parameter : parts.parameters()) {
    EXPECT_EQ(parameter.value.device().type(), device.type()) << parameter.name;
    EXPECT_TRUE(parameter.value.grad().defined()) << parameter.name;
    outcome.gradients.push_back(parameter.value.grad());
  }
  const at::NoGradGuard no_grad;
  std::vector<PackedRow> cached;
  auto hidden = model.prefill(batch, parts.soft(model, batch, thoughts), cached, 1);
  const auto slots = backbone.new_segments({40, 31, 32});
  std::vector<PackedRow> copied;
  for (std::size_t r = 0; r < cached.size(); ++r) {
    for (const auto& segment : cached[r].past) slots[r]->append(*segment);
    slots[r]->append(*cached[r].own);
    copied.push_back({.tokens = 1, .past = {}, .own = slots[r]});
  }
  for (auto& row : cached) row.tokens = 1;
  const auto next = at::tensor({7, 8, 9}, at::kLong).to(device);
  hidden = backbone.forward(backbone.embed(next), cached, &*parts.lora);
  outcome.logits = backbone.logits(hidden);
  outcome.slot_logits =
      backbone.logits(backbone.forward(backbone.embed(next), copied, &*parts.lora));
  return outcome;
}

class DeviceTest : public ::testing::TestWithParam<const char*> {};

TEST_P(DeviceTest, GpuHasTheHostsNumbers) {
  const auto host = run(GetParam(), at::kCPU, at::kFloat, {});
  const auto gpu = run(GetParam(), test_device(), at::kFloat, {});
  EXPECT_LE(relative_difference(gpu.nll.cpu(), host.nll), 1e-4);
  EXPECT_LE(relative_difference(gpu.logits.cpu(), host.logits), 1e-4);
  EXPECT_LE(relative_difference(gpu.slot_logits, gpu.logits), 1e-5);
  for (std::size_t i = 0; i < host.gradients.size(); ++i) {
    if (host.gradients[i].abs().max().item<double>() == 0) continue;  // LoRA's A, while B is 0
    EXPECT_LE(relative_difference(gpu.gradients[i].cpu(), host.gradients[i]), 1e-3) << i;
  }
}

// bfloat16 activations too, which the host never has: by 2^-5 as in model_parity_test, gradients by
// twice that, having come the same way back.
TEST_P(DeviceTest, Bfloat16StaysNear) {
  const auto host = run(GetParam(), at::kCPU, at::kFloat, {});
  const auto gpu = run(GetParam(), test_device(), at::kBFloat16, {});
  const auto error = [](const at::Tensor& got, const at::Tensor& expected) {
    const auto wide = got.cpu().to(at::kFloat);
    return ((wide - expected).norm() / expected.norm()).item<double>();
  };
  EXPECT_LE(error(gpu.nll, host.nll), 1.0 / 32);
  EXPECT_LE(error(gpu.logits, host.logits), 1.0 / 32);
  EXPECT_LE(error(gpu.slot_logits, host.logits), 1.0 / 32);
  for (std::size_t i = 0; i < host.gradients.size(); ++i) {
    if (host.gradients[i].abs().max().item<double>() == 0) continue;
    EXPECT_LE(error(gpu.gradients[i], host.gradients[i]), 1.0 / 16) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DeviceTest, ::testing::Values("llama", "qwen2"));

}  // namespace
}  // namespace softcot::test
