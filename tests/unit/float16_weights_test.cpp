// float16 is a format of files alone: weights are widened, so nothing overflows where float16
// would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "model/transformer.h"
#include "runtime/communicator.h"
#include "runtime/safetensors_writer.h"
#include "support/child_process.h"
#include "support/fixtures.h"
#include "support/tensors.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;
using Weights = std::map<std::string, at::Tensor>;

Weights llama_weights() { return load_case(fixture_folder() / "llama/model.safetensors"); }

/// The fixture's folder with these weights, all of one dtype.
void write_model(const fs::path& folder, const Weights& weights, DType dtype) {
  fs::create_directories(folder);
  fs::copy_file(fixture_folder() / "llama/config.json", folder / "config.json");
  TensorViews views;
  for (const auto& [name, tensor] : weights) {
    const auto* bytes = static_cast<const std::byte*>(tensor.const_data_ptr());
    views[name] = {dtype, {tensor.sizes().begin(), tensor.sizes().end()}, {bytes, tensor.nbytes()}};
  }
  write_safetensors(folder / "model.safetensors", views);
}

at::Tensor hidden_states(const fs::path& folder, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  SingleCommunicator alone;
  const Transformer model(folder, {.dtype = dtype}, alone);
  const auto ids = at::arange(12, at::kLong);
  return model.forward(model.embed(ids), {PackedRow{.tokens = 12, .past = {}, .own = {}}});
}

TEST(Float16Weights, AreTheSameNumbersInFloat32) {
  const TemporaryFolder folder;
  Weights half, wide;
  for (const auto& [name, tensor] : llama_weights()) {
    half[name] = tensor.to(at::kHalf);
    wide[name] = half[name].to(at::kFloat);
  }
  // float16's largest number, and its smallest.
  for (const auto& [at, value] : {std::pair{0, 65504.0}, std::pair{1, 0x1p-24}}) {
    half["model.embed_tokens.weight"][3][at] = value;
    wide["model.embed_tokens.weight"][3][at] = value;
  }
  write_model(folder.path() / "half", half, DType::kF16);
  write_model(folder.path() / "wide", wide, DType::kF32);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto hidden = hidden_states(folder.path() / "half", dtype);
    EXPECT_TRUE(at::isfinite(hidden).all().item<bool>()) << dtype;
    EXPECT_TRUE(at::equal(hidden, hidden_states(folder.path() / "wide", dtype))) << dtype;
  }
}

TEST(Float16Weights, WhatOverflowedWhenTheyWereWrittenIsFound) {
  const TemporaryFolder folder;
  Weights half;
  for (const auto& [name, tensor] : llama_weights()) half[name] = (tensor * 1e6).to(at::kHalf);
  write_model(folder.path() / "model", half, DType::kF16);
  const ChildResult found =
      run_child({SOFTCOT_PROGRAM, "inspect", folder.path() / "model", "--check-finite"});
  EXPECT_EQ(found.status, 3) << found.out;
  EXPECT_THAT(found.err, ::testing::HasSubstr("not finite"));
}

}  // namespace
}  // namespace softcot::test
