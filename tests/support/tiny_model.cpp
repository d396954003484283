#include "support/tiny_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "support/files.h"
#include "support/job.h"
#include "support/tiny_tokenizer.h"

namespace softcot::test {
namespace {

constexpr const char* kPrompts = R"([backbone.user]
Solve: {question}
{thoughts}

[backbone.hint]
Here are notes:

[assistant.user]
Make {n} notes on: {question}

[assistant.reply]
The {n} notes:

[assistant.user.uncounted]
Make notes on: {question}

[assistant.reply.uncounted]
The notes:

[assistant.write]
In {n} tokens, say what matters in: {question}

[backbone.written]
Somebody wrote: {text}

[target.step]
{i}. {step}

[target.final]
Answer: {answer}.
)";

constexpr const char* kSettings = R"([thoughts]
count = 4
[train]
steps = 12
batch = 4
learning-rate = 0.005
checkpoint-every = 4
eval-every = 6
keep = 100
[evaluate]
max-new-tokens = 8
)";

std::vector<std::string> special_tokens_of(const std::string& fixture) {
  if (fixture.starts_with("qwen2")) {
    return {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|box_start|>", "<|box_end|>"};
  }
  return {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<issue_start>", "<issue_closed>"};
}

}  // namespace

void make_tiny_model(const std::filesystem::path& folder, const std::string& fixture) {
  std::filesystem::create_directories(folder);
  for (const auto& entry : std::filesystem::directory_iterator(fixture_folder() / fixture)) {
    const std::string name = entry.path().filename();
    if (name == "config.json" || name.starts_with("model")) {
      std::filesystem::copy_file(entry.path(), folder / name);
    }
  }
  write_text(folder / "tokenizer.json", tiny_tokenizer_json(special_tokens_of(fixture)).dump());
}

void put_float(const std::filesystem::path& weights, const std::string& tensor, std::size_t element,
               float value) {
  std::string bytes = slurp(weights);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto description = nlohmann::json::parse(bytes.substr(sizeof header, header)).at(tensor);
  ASSERT_EQ(description["dtype"], "F32");
  const std::size_t begin = description["data_offsets"][0];
  std::memcpy(bytes.data() + sizeof header + header + begin + element * sizeof value, &value,
              sizeof value);
  spill(weights, bytes);
}

void write_questions(const std::filesystem::path& file, int first, int count) {
  const std::vector<std::string> things = {"pens", "red apples", "eggs", "very old coins"};
  std::string lines;
  for (int i = first; i < first + count; ++i) {
    const int more = 3 * i % 7 + 1;
    const std::string& thing = things[static_cast<std::size_t>(i) % things.size()];
    const std::string sum =
        std::to_string(i) + " + " + std::to_string(more) + " = " + std::to_string(i + more);
    nlohmann::ordered_json line;
    line["question"] = "Tom has " + std::to_string(i) + " " + thing + " and buys " +
                       std::to_string(more) + ". How many?";
    line["answer"] = "He has " + sum + " " + thing + ".\n#### " + std::to_string(i + more);
    lines += line.dump() + "\n";
  }
  write_text(file, lines);
}

void make_tiny_project(const std::filesystem::path& folder, int train_questions,
                       int eval_questions) {
  make_tiny_model(folder / "backbone", "llama");
  make_tiny_model(folder / "assistant", "llama-assistant");
  write_questions(folder / "train.jsonl", 1, train_questions);
  write_questions(folder / "eval.jsonl", 1000, eval_questions);
  write_text(folder / "prompts.txt", kPrompts);
  std::string config = kSettings;
  const auto add = [&](const std::string& section, const std::string& name,
                       const std::string& file) {
    config += "[" + section + "]\n" + name + " = " + (folder / file).string() + "\n";
  };
  add("model", "path", "backbone");
  add("assistant", "path", "assistant");
  add("data", "file", "train.jsonl");
  config += "eval-file = " + (folder / "eval.jsonl").string() + "\n";
  add("prompts", "file", "prompts.txt");
  write_text(folder / "project.cfg", config);
}

TinyProject::TinyProject() { make_tiny_project(folder_.path(), kTrainQuestions, kEvalQuestions); }

std::vector<std::string> TinyProject::call(const std::string& command,
                                           const std::vector<std::string>& options) const {
  std::vector<std::string> all = {command, "--config", path("project.cfg"), "--thoughts.cache",
                                  path("caches")};
  all.insert(all.end(), options.begin(), options.end());
  return all;
}

std::vector<std::string> TinyProject::call_in(const std::string& run, const std::string& command,
                                              const std::vector<std::string>& options) const {
  std::vector<std::string> all = call(command, {"--run.folder", path(run)});
  all.insert(all.end(), options.begin(), options.end());
  return all;
}

void TinyProject::precompute() const {
  const ChildResult result = run_softcot(call("precompute"));
  ASSERT_EQ(result.status, 0) << result.err;
}

std::vector<std::string> names_below(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  if (!std::filesystem::exists(folder)) return names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(entry.path().lexically_relative(folder));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace softcot::test
