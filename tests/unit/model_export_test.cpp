// Full fine-tuning as a model folder of its own: the folder holds what the run trained, byte for
// byte, is a backbone like any other, and appears whole or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/safetensors.h"
#include "runtime/safetensors_folder.h"
#include "runtime/safetensors_writer.h"
#include "support/files.h"
#include "support/job.h"
#include "support/tiny_model.h"

namespace softcot::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

class ModelExport : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    project_ = std::make_unique<TinyProject>();
    for (const char* fixture : {"llama", "llama-assistant", "qwen2"}) {
      make_tiny_model(project_->path(fixture), fixture);
    }
  }
  static void TearDownTestSuite() { project_.reset(); }

  static Words call(const std::string& run, const std::string& command, Words options,
                    const Words& more = {}) {
    options.insert(options.end(), more.begin(), more.end());
    return project_->call_in(run, command, options);
  }
  static void succeed(const Words& words, int ranks = 0) {
    const ChildResult result = run_softcot(words, on_ranks(ranks));
    ASSERT_EQ(result.status, 0) << result.err;
  }
  static void train(const std::string& run, const std::string& model, const Words& more = {},
                    int ranks = 0) {
    succeed(
        call(run, "train",
             {"--method", "full", "--train.steps", "3", "--model", project_->path(model)}, more),
        ranks);
  }
  static std::filesystem::path exported(const std::string& run) {
    const auto out = project_->path(run + "-out");
    succeed({"export", "--run.folder", project_->path(run), "--out", out});
    return out;
  }
  static SafetensorsFile trained_state(const std::string& run) {
    return SafetensorsFile::open(project_->path(run) /
                                 "checkpoints/step-00000003/state.safetensors");
  }
  /// What a run wrote and how likely it finds the references, question by question.
  static std::string samples(const std::string& run, const std::string& method,
                             const std::filesystem::path& model) {
    succeed(call(run, "evaluate",
                 {"--evaluate.methods", method, "--max-new-tokens", "8", "--model", model}));
    std::ifstream file(project_->path(run) / "samples" / (method + ".jsonl"));
    std::string key;
    std::getline(file, key);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static std::unique_ptr<TinyProject> project_;
};

std::unique_ptr<TinyProject> ModelExport::project_;

std::string bytes_of(const TensorView& view) {
  return {reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size()};
}

TEST_F(ModelExport, IsTheModelThatWasTrained) {
  // A head of its own; a tied one; biases and several files. One rank; two that share the model;
  // two replicas of two.
  for (const auto& [model, ranks] : {std::pair<std::string, int>{"llama", 0},
                                     {"llama", 2},
                                     {"llama-assistant", 4},
                                     {"qwen2", 2}}) {
    const std::string run = model + "-on-" + std::to_string(ranks);
    SCOPED_TRACE(run);
    const auto base = project_->path(model);
    train(run, model, ranks == 0 ? Words{} : Words{"--parallel.tp", "2"}, ranks);
    const auto out = exported(run);
    EXPECT_THAT(names_below(out),
                ElementsAre("config.json", "model.safetensors", "tokenizer.json"));
    EXPECT_EQ(slurp(out / "config.json"), slurp(base / "config.json"));
    EXPECT_EQ(slurp(out / "tokenizer.json"), slurp(base / "tokenizer.json"));

    const auto before = SafetensorsFolder::open(base);
    const auto after = SafetensorsFile::open(out / "model.safetensors");
    const auto state = trained_state(run);
    EXPECT_EQ(after.metadata().at("softcot.method"), "full");
    std::size_t moved = 0;
    for (const std::string& name : after.names()) {
      EXPECT_EQ(after.tensor(name).shape, before.tensor(name).shape) << name;
      EXPECT_EQ(bytes_of(after.tensor(name)), bytes_of(state.tensor("backbone." + name))) << name;
      moved += bytes_of(after.tensor(name)) != bytes_of(before.tensor(name)) ? 1 : 0;
    }
    EXPECT_GT(moved, after.names().size() / 2);
    EXPECT_EQ(after.names().size(), before.names().size());

    // Trained, or loaded as any other backbone: the same logits, so the same likelihoods to the
    // last bit and the same words.
    const std::string trained = samples(run, "full", base);
    EXPECT_FALSE(trained.empty());
    EXPECT_EQ(samples(run + "-loaded", "zero_shot_cot", out), trained);
    EXPECT_NE(samples(run + "-before", "zero_shot_cot", base), trained);
  }
}

TEST_F(ModelExport, KeepsTheHeadThatItsBackboneHas) {
  // Tied by config.json, but with a head of its own: two matrices are trained and written, and
  // config.json says so. Tied and stored as the head alone: one matrix, under its first name.
  const auto base = project_->path("two-heads");
  make_tiny_model(base, "llama");
  auto config = nlohmann::ordered_json::parse(slurp(base / "config.json"));
  config["tie_word_embeddings"] = true;
  spill(base / "config.json", config.dump());
  train("two-heads-run", "two-heads", {"--parallel.tp", "2"}, 2);
  const auto out = exported("two-heads-run");
  EXPECT_THAT(SafetensorsFolder::open(out).names(), Contains("lm_head.weight"));
  config["tie_word_embeddings"] = false;
  EXPECT_EQ(nlohmann::ordered_json::parse(slurp(out / "config.json")), config);
  const std::string trained = samples("two-heads-run", "full", base);
  EXPECT_FALSE(trained.empty());
  EXPECT_EQ(samples("two-heads-loaded", "zero_shot_cot", out), trained);

  const auto tied = project_->path("head-alone");
  make_tiny_model(tied, "llama-assistant");
  {
    const auto whole = SafetensorsFile::open(tied / "model.safetensors");
    TensorViews views;
    for (const std::string& name : whole.names()) {
      views[name == "model.embed_tokens.weight" ? "lm_head.weight" : name] = whole.tensor(name);
    }
    write_safetensors(tied / "edited", views);
  }
  std::filesystem::rename(tied / "edited", tied / "model.safetensors");
  train("head-alone-run", "head-alone");
  train("tied-run", "llama-assistant");
  const auto one = exported("head-alone-run");
  const auto other = exported("tied-run");
  EXPECT_EQ(slurp(one / "config.json"), slurp(tied / "config.json"));
  const auto weights = SafetensorsFile::open(one / "model.safetensors");
  const auto expected = SafetensorsFile::open(other / "model.safetensors");
  EXPECT_EQ(weights.names(), expected.names());
  for (const std::string& name : weights.names()) {
    EXPECT_EQ(bytes_of(weights.tensor(name)), bytes_of(expected.tensor(name))) << name;
  }
}

TEST_F(ModelExport, HasTheTypesOfItsBackbone) {
  // The fixture's weights as bfloat16, cut off.
  const auto base = project_->path("narrow");
  make_tiny_model(base, "llama-assistant");
  std::map<std::string, std::string> bytes;
  TensorViews views;
  {
    const auto whole = SafetensorsFile::open(base / "model.safetensors");
    for (const std::string& name : whole.names()) {
      const std::string wide = bytes_of(whole.tensor(name));
      for (std::size_t at = 0; at < wide.size(); at += 4) bytes[name] += wide.substr(at + 2, 2);
      views[name] = {DType::kBF16, whole.tensor(name).shape, std::as_bytes(std::span(bytes[name]))};
    }
  }
  write_safetensors(base / "model.safetensors", views);
  spill(base / "generation_config.json", "{\"eos_token_id\": 2}");
  spill(base / "chat_template.jinja", "{{ messages }}");
  spill(base / "notes.md", "not of the model");

  train("narrow-run", "narrow");
  const auto out = exported("narrow-run");
  EXPECT_THAT(names_below(out),
              ElementsAre("chat_template.jinja", "config.json", "generation_config.json",
                          "model.safetensors", "tokenizer.json"));
  const auto after = SafetensorsFile::open(out / "model.safetensors");
  const auto state = trained_state("narrow-run");
  for (const std::string& name : after.names()) {
    ASSERT_EQ(after.tensor(name).dtype, DType::kBF16);
    const std::string narrow = bytes_of(after.tensor(name));
    const std::string wide = bytes_of(state.tensor("backbone." + name));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < narrow.size() / 2; ++i) {
      std::uint16_t got = 0;
      std::uint32_t exact = 0;
      std::memcpy(&got, narrow.data() + 2 * i, sizeof got);
      std::memcpy(&exact, wide.data() + 4 * i, sizeof exact);
      // To the nearest, to an even one where two are.
      const auto nearest =
          static_cast<std::uint16_t>((exact + 0x7fffu + ((exact >> 16) & 1u)) >> 16);
      wrong += got != nearest ? 1 : 0;
    }
    EXPECT_EQ(wrong, 0u) << name;
  }
}

TEST_F(ModelExport, OfCoconutHasItsPauseVectorBeside) {
  for (const std::string ablation : {"none", "pause_as_thought"}) {
    SCOPED_TRACE(ablation);
    const std::string run = "coconut-" + ablation;
    succeed(call(run, "train",
                 {"--method", "coconut_full", "--train.steps", "3", "--coconut.max-stage", "1",
                  "--coconut.steps-per-stage", "1", "--coconut.ablation", ablation}));
    const auto out = exported(run);
    const auto names = names_below(out);
    EXPECT_THAT(names, Contains("model.safetensors"));
    const auto state = trained_state(run);
    const auto model = SafetensorsFile::open(out / "model.safetensors");
    for (const std::string& name : model.names()) {
      EXPECT_EQ(bytes_of(model.tensor(name)), bytes_of(state.tensor("backbone." + name))) << name;
    }
    const bool pause = ablation == "pause_as_thought";
    ASSERT_EQ(std::count(names.begin(), names.end(), "soft_prompt.safetensors"), pause ? 1 : 0);
    if (!pause) continue;
    const auto soft = SafetensorsFile::open(out / "soft_prompt.safetensors");
    EXPECT_THAT(soft.names(), ElementsAre("task.vectors"));
    EXPECT_EQ(bytes_of(soft.tensor("task.vectors")), bytes_of(state.tensor("task.vectors")));
  }
}

TEST_F(ModelExport, AppearsWholeOrNotAtAll) {
  train("whole", "llama");
  const auto out = project_->path("partly");
  const Words call = {"export", "--run.folder", project_->path("whole"), "--out", out};
  JobOptions small;
  small.file_size_limit = 20'000;
  expect_refused(call, 6, {"model.safetensors"}, small);
  EXPECT_FALSE(std::filesystem::exists(out));
  for (const auto& entry : std::filesystem::directory_iterator(project_->path(""))) {
    EXPECT_THAT(entry.path().filename().string(), ::testing::Not(StartsWith(".")));
  }
  // An empty folder is filled, and a name may end with a slash.
  std::filesystem::create_directory(out);
  succeed({"export", "--run.folder", project_->path("whole"), "--out", out.string() + "/"});
  EXPECT_THAT(names_below(out), Contains("model.safetensors"));
  expect_refused(call, 2, {"partly", "--out"});
}

TEST_F(ModelExport, OfAnotherBackboneIsRefused) {
  train("ours", "llama");
  const auto other = project_->path("other");
  make_tiny_model(other, "llama");
  std::string weights = slurp(other / "model.safetensors");
  weights.back() ^= 1;
  spill(other / "model.safetensors", weights);
  const auto out = project_->path("other-out");
  expect_refused({"export", "--run.folder", project_->path("ours"), "--out", out, "--model", other},
                 5, {"another backbone"});
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace softcot::test
