// Whatever is wrong with what the user gives: one line, the right exit code, nothing half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "support/files.h"
#include "support/job.h"
#include "support/thought_caches.h"
#include "support/tiny_model.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

void edit_json(const std::filesystem::path& file,
               const std::function<void(nlohmann::json&)>& edit) {
  nlohmann::json json = nlohmann::json::parse(slurp(file));
  edit(json);
  spill(file, json.dump());
}

class BadInput : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = std::make_unique<TinyProject>();
    shared_->precompute();
  }
  static void TearDownTestSuite() { shared_.reset(); }

  /// Of the project that all tests share, with sound models, data and caches.
  static Words train(const Words& options) { return shared_->call_in("run", "train", options); }
  static Words precompute(const Words& options) { return shared_->call("precompute", options); }

  static std::string copy_of(const std::string& model, const std::string& name) {
    const auto target = shared_->path(name);
    std::filesystem::remove_all(target);
    std::filesystem::copy(shared_->path(model), target);
    return target;
  }

  void TearDown() override {
    for (const char* folder : {"run", "caches"}) {
      for (const std::string& name : names_below(shared_->path(folder))) {
        EXPECT_EQ(name.find(".tmp"), std::string::npos) << "left behind: " << name;
      }
    }
    EXPECT_THAT(names_below(shared_->path("run") / "checkpoints"), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(shared_->path("run") / "results.json"));
    std::filesystem::remove_all(shared_->path("run"));
  }

  static std::unique_ptr<TinyProject> shared_;
};

std::unique_ptr<TinyProject> BadInput::shared_;

TEST_F(BadInput, NoSuchModelFolder) {
  expect_refused(train({"--model", "/no/such/model"}), 3, {"/no/such/model"});
  expect_refused(train({"--model", "/no/such/model"}), 3, {"/no/such/model"}, on_ranks(2));
  expect_refused(precompute({"--assistant", "/no/such/model"}), 3, {"/no/such/model"});
  expect_refused(shared_->call_in("run", "evaluate", {"--model", "/no/such/model"}), 3,
                 {"/no/such/model"});
}

TEST_F(BadInput, UnknownArchitecture) {
  const std::string model = copy_of("backbone", "gpt2");
  edit_json(model + "/config.json", [](nlohmann::json& config) {
    config["model_type"] = "gpt2";
    config["architectures"] = {"GPT2LMHeadModel"};
  });
  expect_refused(train({"--model", model}), 3, {"gpt2", "config.json"});
  expect_refused(precompute({"--assistant", model}), 3, {"gpt2"}, on_ranks(2));
}

TEST_F(BadInput, MissingTruncatedAndCorruptWeights) {
  const std::string model = copy_of("backbone", "damaged");
  const std::string weights = model + "/model.safetensors";
  const std::string whole = slurp(weights);
  const auto refused = [&](const Words& parts) {
    expect_refused(train({"--model", model}), 3, parts);
    expect_refused(precompute({"--assistant", model}), 3, parts);
  };
  std::filesystem::remove(weights);
  refused({"damaged"});
  spill(weights, whole.substr(0, whole.size() / 2));
  refused({"model.safetensors"});
  spill(weights, whole.substr(0, 4));
  refused({"model.safetensors"});
  std::string corrupt = whole;
  corrupt.replace(8, 40, std::string(40, '\x7f'));
  spill(weights, corrupt);
  refused({"model.safetensors"});
  expect_refused(train({"--model", model}), 3, {"model.safetensors"}, on_ranks(2));
  std::string renamed = whole;
  const std::string tensor = "model.layers.1.mlp.down_proj.weight";
  renamed.replace(renamed.find(tensor), tensor.size(), "model.layers.1.mlp.down_proj.wrongt");
  spill(weights, renamed);
  refused({tensor});
}

TEST_F(BadInput, TokenizerWithoutTheFamilysTokens) {
  const std::string model = copy_of("backbone", "tokenizer");
  write_text(model + "/tokenizer.json",
             tiny_tokenizer_json({"<|endoftext|>", "<|im_start|>", "<|im_end|>"}).dump());
  expect_refused(train({"--model", model}), 3,
                 {"<issue_start>", "<issue_closed>", "tokenizer.json"});
  expect_refused(train({"--model", model}), 3, {"<issue_start>"}, on_ranks(2));
  std::filesystem::remove(model + "/tokenizer.json");
  expect_refused(precompute({"--assistant", model}), 3, {"tokenizer.json"});
}

TEST_F(BadInput, TensorParallelSizeThatDoesNotDivide) {
  expect_refused(train({"--parallel.tp", "3"}), 2, {"parallel.tp", "1, 2, 4, 8", "3"}, on_ranks(3));
  expect_refused(precompute({"--parallel.tp", "3"}), 2, {"parallel.tp", "1, 2, 4", "3"},
                 on_ranks(3));
}

TEST_F(BadInput, RanksThatAreNotReplicasTimesShards) {
  expect_refused(train({"--parallel.tp", "2"}), 2, {"parallel.tp", "1 rank", "tp 2"});
  expect_refused(train({"--parallel.tp", "2"}), 2, {"parallel.tp", "3 rank", "tp 2"}, on_ranks(3));
}

TEST_F(BadInput, UnknownOptionNamesTheNearest) {
  expect_refused(train({"--train.learning-rat", "1"}), 2,
                 {"--train.learning-rat,", "did you mean --train.learning-rate?"});
  expect_refused(train({"--train.learning-rat", "1"}), 2, {"--train.learning-rate?"}, on_ranks(2));
  const auto config = write_text(shared_->path("wrong.cfg"), slurp(shared_->path("project.cfg")) +
                                                                 "[train]\nwarmup-step = 3\n");
  const std::size_t lines = lines_with(slurp(config), "").size();
  expect_refused({"train", "--config", config, "--run.folder", shared_->path("run")}, 2,
                 {"wrong.cfg:" + std::to_string(lines), "train.warmup-steps"});
}

TEST_F(BadInput, UnknownMethodNamesTheNearest) {
  expect_refused(train({"--method", "softcott"}), 2, {"softcott", "did you mean softcot?"});
  expect_refused(train({"--method", "zero_shot_cot"}), 2, {"train.method", "zero_shot_cot"});
  expect_refused(shared_->call_in("run", "evaluate", {"--evaluate.methods", "zero_shot_asist_cot"}),
                 2, {"zero_shot_asist_cot", "did you mean zero_shot_assist_cot?"});
  expect_refused(train({"--method", "lorra"}), 2, {"did you mean lora?"}, on_ranks(2));
  EXPECT_FALSE(std::filesystem::exists(shared_->path("run")));
}

// From the command line to the end of the process; the readers' own tests have the other cases.
TEST_F(BadInput, QuestionsThatContradictThemselvesOrTheirTask) {
  const auto caches = shared_->path("none");
  const auto refused = [&](const std::string& task, const std::string& text, const Words& parts,
                           int ranks = 0) {
    const auto file = write_text(shared_->path("questions.jsonl"), text);
    const Words options = {
        "--task", task, "--data.file", file, "--data.eval-file=", "--thoughts.cache", caches};
    expect_refused(precompute(options), 3, parts, on_ranks(ranks));
    expect_refused(train(options), 3, parts, on_ranks(ranks));
  };
  const std::string first = R"({"id": "a", "question": "Which?", "rationale": [], "answer": "B", )"
                            R"("type": "choice", "choices": ["one", "two"]})"
                            "\n";
  std::string outside = first;
  outside.replace(outside.find("\"B\""), 3, "\"C\"");
  outside.replace(outside.find("\"a\""), 3, "\"b\"");
  refused("jsonl", first + first, {"questions.jsonl:2", "one id", "questions.jsonl:1"});
  refused("jsonl", first + outside, {"questions.jsonl:2", "C", "2 choices"});
  refused("jsonl", first + outside, {"questions.jsonl:2", "2 choices"}, 2);
  refused("gsm8k", first, {"questions.jsonl:1", "#### number"});
  refused("strategyqa", first, {"questions.jsonl", "data.task"});
  EXPECT_FALSE(std::filesystem::exists(caches));
}

TEST_F(BadInput, MalformedDatasetLine) {
  const std::string good = slurp(shared_->path("train.jsonl"));
  const auto file = shared_->path("damaged.jsonl");
  const std::size_t lines = TinyProject::kTrainQuestions;
  for (const std::string line : {"{\"question\": \"What is", "{\"question\": \"What is 1 + 1?\"}",
                                 "[1, 2]", "{\"question\": \"Why?\", \"answer\": \"no mark\"}"}) {
    spill(file, good + line + "\n");
    const std::string place = "damaged.jsonl:" + std::to_string(lines + 1);
    expect_refused(precompute({"--data.file", file}), 3, {place});
    expect_refused(train({"--data.file", file}), 3, {place});
  }
  expect_refused(precompute({"--data.file", file}), 3, {"damaged.jsonl:25"}, on_ranks(3));
  expect_refused(train({"--data.file", "/no/such.jsonl"}), 3, {"/no/such.jsonl"});
}

TEST_F(BadInput, RowLongerThanTheLimit) {
  expect_refused(precompute({"--data.max-length", "60", "--thoughts", "5"}), 3, {"train:1", "60"});
  expect_refused(train({"--data.max-length", "60"}), 3, {"train:1", "60"});
  expect_refused(train({"--data.max-length", "60"}), 3, {"train:1", "60"}, on_ranks(2));
}

TEST_F(BadInput, CacheOfAnotherAssistantNumberOrPrompt) {
  const std::string assistant = copy_of("assistant", "other-assistant");
  put_float(assistant + "/model.safetensors", "model.norm.weight", 0, kNaN);
  std::string prompts = slurp(shared_->path("prompts.txt"));
  prompts.replace(prompts.find("Make {n} notes"), 4, "Give");
  spill(shared_->path("other.txt"), prompts);
  std::string questions = slurp(shared_->path("train.jsonl"));
  questions.replace(questions.find("Tom"), 3, "Ann");
  spill(shared_->path("other.jsonl"), questions);
  expect_refused(train({"--assistant", assistant}), 4, {"thoughts-N4-", "assistant_hash"});
  expect_refused(train({"--assistant.layers", "1"}), 4, {"assistant_layers 1", "got 2"});
  expect_refused(train({"--thoughts", "6"}), 4, {"thoughts-N6-", "thoughts 6", "got 4"});
  expect_refused(train({"--thoughts", "6"}), 4, {"thoughts 6", "got 4"}, on_ranks(2));
  expect_refused(train({"--prompts.file", shared_->path("other.txt")}), 4, {"prompt_hash"});
  expect_refused(train({"--data.file", shared_->path("other.jsonl")}), 4, {"dataset_hash"});
  expect_refused(train({"--thoughts.cache", shared_->path("none")}), 4,
                 {"no thought cache", "softcot precompute"});
}

TEST_F(BadInput, UnfinishedAndDamagedCaches) {
  const auto caches = shared_->path("broken");
  for (const char* name : {"manifest.json", "block-000000.h5"}) {
    std::filesystem::remove_all(caches);
    std::filesystem::copy(shared_->path("caches"), caches,
                          std::filesystem::copy_options::recursive);
    for (const auto& cache : std::filesystem::directory_iterator(caches)) {
      const auto file = cache.path() / name;
      if (!std::filesystem::exists(file)) continue;  // Left empty by a refused job.
      std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    }
    expect_refused(train({"--thoughts.cache", caches}), 4, {name});
  }
}

TEST_F(BadInput, LossThatIsNoNumberNamesStepAndRows) {
  const std::string model = copy_of("backbone", "nan");
  put_float(model + "/model.safetensors", "model.embed_tokens.weight", '~' * 64 + 5, kNaN);
  std::string questions = slurp(shared_->path("train.jsonl"));
  // One question brings the token whose embedding is no number.
  questions.replace(questions.find("Tom has 9 "), 9, "Tom has ~");
  const auto file = shared_->path("nan.jsonl");
  spill(file, questions);
  ASSERT_EQ(run_softcot(precompute({"--data.file", file})).status, 0);
  for (const int count : {0, 2}) {
    const auto run = shared_->path("run");
    std::filesystem::remove_all(run);
    const std::string error =
        expect_refused(train({"--data.file", file, "--model", model, "--train.checkpoint-every",
                              "0", "--train.eval-every", "100"}),
                       7, {"not finite", " nan:9"}, on_ranks(count));
    const std::size_t done = lines_with(slurp(run / "metrics.jsonl"), "\"loss\"").size();
    EXPECT_LT(done, 6U) << "24 rows in batches of 4: seen in the first epoch";
    EXPECT_THAT(error, HasSubstr("step " + std::to_string(done + 1) + ", rows nan:"));
  }
}

TEST_F(BadInput, AnswersAreNotMadeOfWhatIsNoNumber) {
  const std::string model = copy_of("backbone", "nan-answers");
  put_float(model + "/model.safetensors", "lm_head.weight", 64 * 300 + 5,
            kNaN);  // of a token never met
  for (const int count : {0, 2}) {
    expect_refused(shared_->call_in("run", "evaluate",
                                    {"--model", model, "--evaluate.methods", "zero_shot_cot"}),
                   7, {"not finite", "question eval:", "--check-finite"}, on_ranks(count));
    EXPECT_EQ(lines_with(slurp(shared_->path("run") / "samples/zero_shot_cot.part-0.jsonl"),
                         "question_id")
                  .size(),
              0U);
  }
  expect_refused({"generate", "--model", model, "--question", "What is 2 + 2?", "--prompts.file",
                  shared_->path("prompts.txt").string()},
                 7, {"logits are not finite", "token 1 of answer 1"});
  const std::string error =
      expect_refused(train({"--model", model, "--train.eval-every", "100"}), 7, {"not finite"});
  EXPECT_THAT(error, HasSubstr("held-out loss"));
}

TEST_F(BadInput, ThoughtsThatAreNoNumbersAreNotCached) {
  const std::string model = copy_of("assistant", "nan-assistant");
  put_float(model + "/model.safetensors", "model.norm.weight", 3, kNaN);
  const auto caches = shared_->path("nan-caches");
  expect_refused(precompute({"--assistant", model, "--thoughts.cache", caches}), 7, {"not finite"});
  for (const std::string& name : names_below(caches)) {
    EXPECT_EQ(name.find(".h5"), std::string::npos) << name;
    EXPECT_EQ(name.find("manifest"), std::string::npos) << name;
  }
}

TEST_F(BadInput, ARefusedStartDoesNotSpoilTheRunFolder) {
  for (const int count : {0, 2}) {
    expect_refused(train({"--thoughts", "6"}), 4, {"thoughts 6"}, on_ranks(count));
    EXPECT_FALSE(std::filesystem::exists(shared_->path("run")));
  }
  const ChildResult corrected = run_softcot(train({"--train.steps", "1"}));
  EXPECT_EQ(corrected.status, 0) << corrected.err;
  std::filesystem::remove_all(shared_->path("run"));
}

}  // namespace
}  // namespace softcot::test
