#include <ATen/core/grad_mode.h>

// Adapter folders against PEFT: one that PEFT made (tests/fixtures/make_adapter.py), one that we
// make and PEFT reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "launch/run/peft_adapter.h"
#include "model/transformer.h"
#include "runtime/json_file.h"
#include "runtime/safetensors.h"
#include "support/child_process.h"
#include "support/fixtures.h"
#include "support/tensors.h"
#include "support/world.h"

namespace softcot::test {
namespace {

class PeftParity : public ::testing::Test {
 protected:
  Lora lora() const {
    LoraOptions options{.rank = adapter_.choice.rank,
                        .alpha = adapter_.choice.alpha,
                        .dropout = adapter_.choice.dropout,
                        .targets = {}};
    for (const LoraTarget target : all_lora_targets()) {
      const auto& names = adapter_.choice.targets;
      if (std::find(names.begin(), names.end(), lora_target_name(target)) != names.end()) {
        options.targets.push_back(target);
      }
    }
    return {config_, options, adapter_.tensors};
  }

  std::filesystem::path fixtures_ = SOFTCOT_ADAPTER_FIXTURES;
  std::filesystem::path model_ = fixtures_ / "llama";
  std::filesystem::path folder_ = fixtures_ / "llama-adapter";
  std::filesystem::path case_ = fixtures_ / "llama.adapter.safetensors";
  ModelConfig config_ = read_model_config(model_);
  PeftAdapter adapter_ = read_peft_adapter(folder_, config_);
};

TEST_F(PeftParity, SettingsAreRead) {
  EXPECT_EQ(adapter_.choice.rank, 4);
  EXPECT_EQ(adapter_.choice.alpha, 6);
  EXPECT_EQ(adapter_.choice.dropout, 0.05);
  EXPECT_EQ(adapter_.choice.targets,
            (std::vector<std::string>{"q_proj", "v_proj", "o_proj", "down_proj"}));
  EXPECT_EQ(adapter_.backbone_hash, "");
}

TEST_F(PeftParity, LogitsAreThoseOfPeft) {
  const at::NoGradGuard no_grad;
  const auto expected = load_case(case_);
  Lora lora = this->lora();
  lora.to(test_device());
  for (const int tp : tp_sizes(model_, world().size())) {
    SCOPED_TRACE("tp " + std::to_string(tp));
    const auto groups = ProcessGroups::make(world(), tp);
    const Transformer backbone(model_, {.device = test_device()}, *groups.tp);
    for (std::int64_t row = 0; row < expected.at("input_ids").size(0); ++row) {
      const auto ids = expected.at("input_ids")[row].to(test_device());
      const std::vector<PackedRow> rows = {{.tokens = ids.size(0), .past = {}, .own = {}}};
      const auto inputs = backbone.embed(ids);
      const auto plain = backbone.logits(backbone.forward(inputs, rows));
      const auto changed = backbone.logits(backbone.forward(inputs, rows, &lora));
      EXPECT_LE(relative_difference(changed, expected.at("logits")[row]), 2e-5);
      EXPECT_GT(relative_difference(plain, expected.at("logits")[row]), 0.1);
    }
  }
}

// Names, shapes, values and the settings that decide what is computed.
TEST_F(PeftParity, WrittenAsPeftWritesIt) {
  if (world().rank() != 0) return;
  const TemporaryFolder out;
  write_peft_adapter(out.path(), lora(), {.base = "llama", .backbone_hash = "0123"});
  const auto theirs = SafetensorsFile::open(folder_ / "adapter_model.safetensors");
  const auto ours = SafetensorsFile::open(out.path() / "adapter_model.safetensors");
  ASSERT_EQ(ours.names().size(), theirs.names().size());
  for (const std::string& name : theirs.names()) {
    ASSERT_TRUE(ours.contains(name)) << name;
    EXPECT_EQ(HostTensor::copy_of(ours.tensor(name)), HostTensor::copy_of(theirs.tensor(name)))
        << name;
  }
  const auto expected = read_json_file(folder_ / "adapter_config.json");
  auto config = read_json_file(out.path() / "adapter_config.json");
  for (auto& [name, value] : config.items()) {
    if (name == "target_modules") {
      const std::set<std::string> targets = expected.at(name);
      EXPECT_EQ(value.get<std::set<std::string>>(), targets);
    } else {
      EXPECT_EQ(value, expected.at(name)) << name;
    }
  }
  const PeftAdapter back = read_peft_adapter(out.path(), config_);
  EXPECT_EQ(back.backbone_hash, "0123");
}

TEST_F(PeftParity, PeftReadsWhatWeWrite) {
  if (world().size() != 1) return;  // once is enough
  const char* named = std::getenv("SOFTCOT_PEFT_PYTHON");
  const std::string python = named != nullptr ? named : "python3";
  if (run_child({python, "-c", "import peft, transformers"}).status != 0) {
    GTEST_SKIP() << python << " has no peft; SOFTCOT_PEFT_PYTHON names one that has";
  }
  const TemporaryFolder out;
  write_peft_adapter(out.path(), lora(), {.base = "llama", .backbone_hash = ""});
  const auto logits = out.path() / "logits.safetensors";
  const ChildResult result =
      run_child({python, SOFTCOT_PEFT_LOGITS, model_, out.path(), case_, logits});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_LE(relative_difference(load_case(logits).at("logits"), load_case(case_).at("logits")),
            1e-6);
}

}  // namespace
}  // namespace softcot::test
