// PEFT adapters through the commands: what PEFT made is trained on and evaluated, what a run
// trained is exported and means the same, and what does not fit is refused in one line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/safetensors.h"
#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Words = std::vector<std::string>;

const std::filesystem::path kFixtures = SOFTCOT_ADAPTER_FIXTURES;

class Adapter : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    copy_to("peft");
  }
  static void TearDownTestSuite() { project_.reset(); }

  static std::filesystem::path copy_to(const std::string& name) {
    const auto folder = project_->path(name);
    std::filesystem::remove_all(folder);
    std::filesystem::copy(kFixtures / "llama-adapter", folder);
    return folder;
  }
  static void edit(const std::filesystem::path& file,
                   const std::function<void(nlohmann::json&)>& change) {
    auto json = nlohmann::json::parse(slurp(file));
    change(json);
    spill(file, json.dump());
  }
  static Words train(const std::string& run, const Words& more) {
    Words options = {"--method", "lora", "--train.steps", "3"};
    options.insert(options.end(), more.begin(), more.end());
    return project_->call_in(run, "train", options);
  }
  static Words evaluate(const std::string& run, const Words& more) {
    Words options = {"--evaluate.methods", "lora", "--max-new-tokens", "6"};
    options.insert(options.end(), more.begin(), more.end());
    return project_->call_in(run, "evaluate", options);
  }
  static void succeed(const Words& call, int ranks = 0) {
    const ChildResult result = run_softcot(call, on_ranks(ranks));
    ASSERT_EQ(result.status, 0) << result.err;
  }
  static nlohmann::json first_metrics(const std::string& run) {
    std::ifstream file(project_->path(run) / "metrics.jsonl");
    std::string line;
    std::getline(file, line);
    return nlohmann::json::parse(line);
  }
  static std::string samples(const std::string& run) {
    std::ifstream file(project_->path(run) / "samples" / "lora.jsonl");
    std::string key;
    std::getline(file, key);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static std::unique_ptr<TinyProject> project_;
};

std::unique_ptr<TinyProject> Adapter::project_;

TEST_F(Adapter, IsEvaluatedWithoutARunAndTrainingBeginsWithIt) {
  succeed(evaluate("of-peft", {"--evaluate.trained", project_->path("peft")}));
  double nll = 0;
  double targets = 0;
  std::istringstream lines(samples("of-peft"));
  for (std::string line; std::getline(lines, line);) {
    const auto sample = nlohmann::json::parse(line);
    nll += sample["answer_nll"].get<double>();
    targets += sample["target_tokens"].get<double>();
  }
  succeed(train("begun", {"--lora.adapter", project_->path("peft")}));
  succeed(train("new", {}));
  const double begun = first_metrics("begun")["heldout_loss"];
  EXPECT_NEAR(begun, nll / targets, 1e-5);
  EXPECT_GT(std::abs(begun - first_metrics("new")["heldout_loss"].get<double>()), 0.1);
  // The adapter's settings are the run's.
  const std::string config = slurp(project_->path("begun") / "config.cfg");
  for (const char* line : {"rank = 4 ", "alpha = 6 ", "dropout = 0.05 "}) {
    EXPECT_THAT(config, HasSubstr(line));
  }
}

TEST_F(Adapter, WhatIsExportedMeansWhatTheRunTrained) {
  succeed(train("run", {"--lora.targets", "q_proj,k_proj,up_proj", "--lora.rank", "3"}), 2);
  const auto out = project_->path("exported");
  succeed({"export", "--run.folder", project_->path("run"), "--out", out, "--base", "org/name"});
  EXPECT_THAT(names_below(out),
              UnorderedElementsAre("adapter_config.json", "adapter_model.safetensors"));
  const auto config = nlohmann::json::parse(slurp(out / "adapter_config.json"));
  EXPECT_EQ(config["base_model_name_or_path"], "org/name");
  EXPECT_EQ(config["r"], 3);
  EXPECT_EQ(config["target_modules"], (Words{"q_proj", "k_proj", "up_proj"}));
  succeed(evaluate("run", {}));
  succeed(evaluate("again", {"--evaluate.trained", out}));
  EXPECT_EQ(samples("again"), samples("run"));
  EXPECT_EQ(samples("again").empty(), false);
  // What is there already is not written over.
  expect_refused({"export", "--run.folder", project_->path("run"), "--out", out}, 2,
                 {"exported", "--out"});
}

TEST_F(Adapter, ProjectionAndVectorsAreExportedToo) {
  project_->precompute();
  succeed(project_->call_in("soft", "train",
                            {"--method", "softcot_prompt_tuning", "--train.steps", "2"}));
  const auto out = project_->path("soft-out");
  succeed({"export", "--run.folder", project_->path("soft"), "--out", out});
  const auto file = SafetensorsFile::open(out / "soft_prompt.safetensors");
  EXPECT_THAT(file.names(),
              UnorderedElementsAre("projection.weight", "projection.bias", "task.vectors"));
  EXPECT_EQ(file.tensor("projection.weight").shape, (std::vector<std::uint64_t>{64, 32}));
  EXPECT_EQ(file.metadata().at("softcot.method"), "softcot_prompt_tuning");
}

TEST_F(Adapter, WhatDoesNotFitIsRefusedInOneLine) {
  struct Case {
    std::function<void(nlohmann::json&)> change;
    Words parts;
  };
  const std::vector<Case> cases = {
      {[](auto& c) { c["peft_type"] = "IA3"; }, {"peft_type LORA", "IA3"}},
      {[](auto& c) { c["use_dora"] = true; }, {"use_dora"}},
      {[](auto& c) {
         c["rank_pattern"] = {{"q_proj", 8}};
       },
       {"rank_pattern"}},
      {[](auto& c) {
         c["alpha_pattern"] = {{"q_proj", 8}};
       },
       {"alpha_pattern"}},
      {[](auto& c) { c["modules_to_save"] = {"lm_head"}; }, {"modules_to_save", "lm_head"}},
      {[](auto& c) { c["bias"] = "all"; }, {"bias none", "bias all"}},
      {[](auto& c) { c["init_lora_weights"] = "pissa"; }, {"init_lora_weights", "pissa"}},
      {[](auto& c) {
         c["target_modules"] = {"q_proj", "lm_head"};
       },
       {"target_modules", "lm_head"}},
      {[](auto& c) { c["target_modules"] = "all-linear"; }, {"target_modules", "all-linear"}},
      {[](auto& c) { c["target_modules"].push_back("k_proj"); },
       {"layers.0.self_attn.k_proj.lora_A", "lacks"}},
      {[](auto& c) { c["target_modules"] = {"q_proj"}; }, {"no place", "lora_"}},
      {[](auto& c) { c["r"] = 5; }, {"another shape", "[5, 64]", "[4, 64]"}},
      {[](auto& c) { c["r"] = "4"; }, {"adapter_config.json", "r"}},
      {[](auto& c) { c.erase("lora_alpha"); }, {"lora_alpha"}},
  };
  for (const Case& bad : cases) {
    const auto folder = copy_to("bad");
    edit(folder / "adapter_config.json", bad.change);
    expect_refused(train("refused", {"--lora.adapter", folder}), 3, bad.parts);
    expect_refused(evaluate("refused", {"--evaluate.trained", folder}), 3, bad.parts);
  }
  EXPECT_THAT(names_below(project_->path("refused") / "checkpoints"), ::testing::IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(project_->path("refused") / "results.json"));
}

TEST_F(Adapter, MissingAndDamagedFilesAreRefused) {
  const auto refused = [&](const std::filesystem::path& folder, const Words& parts) {
    expect_refused(train("refused", {"--lora.adapter", folder}), 3, parts);
  };
  refused(project_->path("nowhere"), {"nowhere", "adapter_config.json"});
  auto folder = copy_to("bad");
  const auto tensors = folder / "adapter_model.safetensors";
  std::filesystem::resize_file(tensors, std::filesystem::file_size(tensors) - 5);
  refused(folder, {"adapter_model.safetensors"});
  std::filesystem::remove(tensors);
  refused(folder, {"adapter_model.safetensors"});
  spill(folder / "adapter_config.json", "{\"peft_type\": \"LO");
  refused(folder, {"adapter_config.json"});
}

TEST_F(Adapter, OfAnotherModelIsRefused) {
  make_tiny_model(project_->path("small"), "llama-assistant");
  expect_refused(train("refused", {"--lora.adapter", project_->path("peft"), "--model",
                                   project_->path("small")}),
                 3, {"another shape", "[4, 32]", "[4, 64]"});
  // Of the same shape: we know what our own were trained on.
  succeed(train("ours", {}));
  const auto out = project_->path("ours-out");
  succeed({"export", "--run.folder", project_->path("ours"), "--out", out});
  std::filesystem::copy(project_->path("backbone"), project_->path("other"));
  std::string weights = slurp(project_->path("other") / "model.safetensors");
  weights.back() ^= 1;
  spill(project_->path("other") / "model.safetensors", weights);
  expect_refused(train("refused", {"--lora.adapter", out, "--model", project_->path("other")}), 5,
                 {"another backbone", "ours-out"});
}

TEST_F(Adapter, OtherSettingsThanTheAdaptersAreRefused) {
  const std::string peft = project_->path("peft");
  expect_refused(train("refused", {"--lora.adapter", peft, "--lora.rank", "8"}), 2,
                 {"lora.rank", "4", "8"});
  expect_refused(train("refused", {"--lora.adapter", peft, "--lora.targets", "q_proj"}), 2,
                 {"lora.targets", "q_proj,v_proj,o_proj,down_proj"});
  succeed(train("kept", {"--lora.adapter", peft}));
  expect_refused(train("kept", {"--resume"}), 5, {"lora"});
}

TEST_F(Adapter, ARunThatIsNotThereIsRefused) {
  const auto out = project_->path("none-out");
  expect_refused({"export", "--run.folder", project_->path("none"), "--out", out}, 2, {"none"});
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace softcot::test
