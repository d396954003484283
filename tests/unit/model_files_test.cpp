// A model folder that is not what its config.json says, or whose files were damaged: refused before
// anything is computed, or known as another model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/tokenizer.h"
#include "model/weights.h"
#include "runtime/random.h"
#include "runtime/safetensors_writer.h"
#include "support/faults.h"
#include "support/files.h"
#include "support/tensors.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Weights = std::map<std::string, at::Tensor>;

/// What caches, checkpoints and samples know a model by: the hashes of its weights and tokenizer.
/// Throws where the folder is refused.
std::pair<std::string, std::string> open_model(const fs::path& folder) {
  const ModelConfig config = read_model_config(folder);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const WeightReader weights(folder, config, ShardPlan(config, 0, 1), at::kFloat, at::kCPU);
  return {SafetensorsFolder::open(folder).content_hash(), tokenizer.content_hash()};
}

class ModelFiles : public ::testing::Test {
 protected:
  ModelFiles() { make_tiny_model(folder(), "llama-assistant"); }

  fs::path folder() const { return place_.path() / "model"; }

  /// The model's weights anew, changed by `edit`.
  void edit_weights(const std::function<void(Weights&)>& edit) const {
    Weights weights = load_case(folder() / "model.safetensors");
    edit(weights);
    TensorViews views;
    for (const auto& [name, tensor] : weights) {
      const DType dtype = tensor.scalar_type() == at::kFloat ? DType::kF32 : DType::kI64;
      const auto* bytes = static_cast<const std::byte*>(tensor.const_data_ptr());
      views[name] = {
          dtype, {tensor.sizes().begin(), tensor.sizes().end()}, {bytes, tensor.nbytes()}};
    }
    write_safetensors(folder() / "model.safetensors", views);
  }
  std::string refusal() const {
    const Error error = error_of([&] { open_model(folder()); });
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }

 private:
  TemporaryFolder place_;
};

TEST_F(ModelFiles, AWeightOfAnotherShapeIsNamedWithBothShapes) {
  edit_weights([](Weights& weights) {
    at::Tensor& weight = weights.at("model.layers.1.self_attn.k_proj.weight");
    weight = weight.t().contiguous();
  });
  EXPECT_THAT(refusal(), HasSubstr("weight has a shape that config.json contradicts: " +
                                   folder().string() + ": model.layers.1.self_attn.k_proj.weight " +
                                   "(expected [16, 32], got [32, 16])"));
}

TEST_F(ModelFiles, AWeightOfWholeNumbersIsNamed) {
  edit_weights([](Weights& weights) {
    at::Tensor& norm = weights.at("model.norm.weight");
    norm = norm.to(at::kLong);
  });
  EXPECT_THAT(refusal(), HasSubstr("weight is not of a floating-point type: " + folder().string() +
                                   ": model.norm.weight (expected F32, F16 or BF16)"));
}

TEST_F(ModelFiles, MissingWeightsAreCountedAndTheFirstFiveNamed) {
  std::size_t erased = 0;
  edit_weights([&](Weights& weights) {
    erased = std::erase_if(weights, [](const auto& weight) {
      return weight.first.find("layers.1.") != std::string::npos;
    });
  });
  ASSERT_EQ(erased, 9U);
  const std::string error = refusal();
  EXPECT_THAT(error, HasSubstr("9 weights are missing: " + folder().string() + " (got without "));
  std::size_t named = 0;
  for (std::size_t at = 0; (at = error.find("model.layers.1.", at) + 1) != 0;) ++named;
  EXPECT_EQ(named, 5U) << error;
  EXPECT_THAT(error, HasSubstr(" and 4 more)"));
}

TEST_F(ModelFiles, AHeadThatIsNotTiedMustBeThere) {
  EXPECT_NO_THROW(open_model(folder())) << "its head is tied";
  auto config = nlohmann::json::parse(slurp(folder() / "config.json"));
  config["tie_word_embeddings"] = false;
  spill(folder() / "config.json", config.dump());
  EXPECT_THAT(refusal(), HasSubstr("a weight is missing: " + folder().string() +
                                   " (got without lm_head.weight)"));
}

TEST_F(ModelFiles, ADamagedFileIsRefusedOrAnotherModel) {
  constexpr int kDamages = 200;
  const auto whole = open_model(folder());
  for (const char* name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    const std::string good = slurp(folder() / name);
    RandomStream random(23, RandomPurpose::kTest);
    for (const bool cut : {false, true}) {
      int refused = 0;
      for (int i = 0; i < kDamages; ++i) {
        std::string bad = good;
        // Half of the flips in the first kilobytes, where the structure is.
        const std::size_t range = cut || i % 2 == 0 ? good.size() : std::min(good.size(), 4096ul);
        const std::size_t at = random.below(range);
        if (cut) bad.resize(at);
        if (!cut) bad[at] = static_cast<char>(bad[at] ^ (1 << random.below(8)));
        spill(folder() / name, bad);
        try {
          EXPECT_NE(open_model(folder()), whole) << name << " at " << at;
        } catch (const Error& error) {
          ++refused;
          EXPECT_EQ(error.code(), ExitCode::kInput) << error.what();
          EXPECT_THAT(error.what(), HasSubstr(folder().string()));
        }
      }
      EXPECT_GT(refused, 0);
      std::cout << name << ": of " << kDamages << (cut ? " cuts " : " flips ") << refused
                << " refused, " << kDamages - refused << " another model\n";
    }
    spill(folder() / name, good);
    EXPECT_EQ(open_model(folder()), whole);
  }
}

}  // namespace
}  // namespace softcot::test
