// What a training step asks of what it is given.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "runtime/error.h"
#include "support/fixtures.h"
#include "trainer/train_step.h"

namespace softcot::test {
namespace {

TEST(TrainStep, RefusesATrainedTensorOnAnotherDeviceThanTheBackbone) {
  SingleCommunicator alone;
  const Transformer backbone(fixture_folder() / "llama", {}, alone);
  const SoftPromptModel model(backbone, {});
  const std::int64_t width = backbone.config().hidden;
  TrainedParts parts;
  parts.projection = Projection::random(24, width, 0);
  AdamW optimizer(parts.parameters(), {}, alone, alone);
  EXPECT_NO_THROW(TrainStep(model, parts, optimizer, alone));
  parts.task = TaskVectors(at::empty({2, width}, at::kMeta));  // The one device that is everywhere.
  try {
    TrainStep(model, parts, optimizer, alone);
    FAIL() << "it would be trained on another device";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInternal);
    const std::string text = error.what();
    EXPECT_NE(text.find("task.vectors"), std::string::npos) << text;
    EXPECT_NE(text.find("expected cpu, got meta"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace softcot::test
