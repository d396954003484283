#include "support/made_runs.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "evaluation/prompt_log.h"
#include "launch/study/study_settings.h"

namespace softcot::test {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string config_file(const Settings& options) {
  std::string text;
  std::string section;
  for (const auto& [name, value] : options) {
    const auto dot = name.find('.');
    if (name.substr(0, dot) != section) text += "[" + (section = name.substr(0, dot)) + "]\n";
    text += name.substr(dot + 1) + " = " + value + "  # a test\n";
  }
  return text;
}

}  // namespace

void make_run(const fs::path& folder, const Made& made) {
  Settings options = {{"data.task", made.task},         {"model.path", "models/big"},
                      {"assistant.path", "models/a"},   {"thoughts.count", "4"},
                      {"thoughts.eval-count", "0"},     {"train.seed", "41"},
                      {"train.learning-rate", "0.001"}, {"evaluate.temperature", "0"},
                      {"run.folder", "somewhere"}};
  for (const auto& [name, value] : made.options) options[name] = value;
  MethodSamples method{made.method, made.title, {}};
  std::vector<PromptText> prompts;
  for (int i = 0; i < made.questions; ++i) {
    Sample sample;
    sample.question_id = "test:" + std::to_string(i);
    sample.question = "How many? " + (i == 3 ? made.words : "");
    sample.reference = "5";
    sample.prompt_hash = made.method + std::to_string(i);
    sample.text =
        fmt::format("It is {}. {}", i % 10 < made.right_of_ten ? 5 : 6, i == 3 ? made.words : "");
    sample.finish = "stop";
    sample.new_tokens = 7;
    sample.target_tokens = 10;
    sample.answer_nll = 10 * (made.nll + 0.01 * (i % 5));
    extract_answers(sample, AnswerType::kNumber);
    prompts.push_back({sample.question_id, sample.prompt_hash, "Prompt of " + sample.question});
    method.samples.push_back(sample);
  }
  fs::create_directories(folder / "samples");
  SampleLog log(folder / "samples" / (made.method + ".jsonl"), "key");
  for (const Sample& sample : method.samples) log.append(sample);
  write_prompts(folder / "prompts" / (made.method + ".jsonl"), prompts);
  Provenance provenance{.task = made.task,
                        .trained_on = made.trained_on,
                        .config_hash = settings_hash(options),
                        .prompt_hash = "beef",
                        .model_hashes = {{"backbone", "b0b0"}},
                        .versions = {{"softcot", SOFTCOT_VERSION}},
                        .trained_parameters = {},
                        .data_hashes = {{"questions", "d00d"}},
                        .parameters = {{"backbone", 1000000}, {"trained", 332352}}};
  if (made.assistant > 0) provenance.parameters["assistant"] = made.assistant;
  const std::vector<MethodSamples> all = {method};
  write_results(folder / "results.json", compare_methods(all, {}), provenance);
  write(folder / "evaluate.cfg", config_file(options));
  if (made.trained_on.empty()) return;
  write(folder / "config.cfg", config_file(options));
  std::string metrics;
  for (int step = 1; step <= 5; ++step) {
    metrics += fmt::format("{{\"step\": {}, \"loss\": {}, \"seconds\": {{\"forward\": 2}}}}\n",
                           step, 2.0 - 0.1 * step);
  }
  write(folder / "metrics.jsonl", metrics);
}

Made zero_shot() {
  return {.method = "zero_shot_cot",
          .title = "Zero-shot CoT",
          .nll = 1.5,
          .right_of_ten = 2,
          .trained_on = "",
          .options = {}};
}

Made with(const Settings& options, double nll) {
  Made made;
  made.nll = nll;
  made.options = options;
  return made;
}

void make_sweep(const fs::path& folder) {
  nlohmann::json cells = nlohmann::json::array();
  const auto add = [&](const std::string& name, const Made& made) {
    make_run(folder / name, made);
    cells.push_back({{"name", name},
                     {"run", name},
                     {"trained", ""},
                     {"baseline", "zero"},
                     {"method", name == "zero" ? "zero_shot_cot" : "softcot"},
                     {"results", name + "/results.json"},
                     {"status", "done"},
                     {"axes", nlohmann::json::object()}});
  };
  add("zero", zero_shot());
  for (const std::string train : {"2", "16"}) {
    for (const std::string eval : {"2", "16"}) {
      add("n" + train + "-" + eval, with({{"thoughts.count", train}, {"thoughts.eval-count", eval}},
                                         train == "2" ? 1.3 : 1.1));
    }
  }
  for (const std::int64_t size : {28'000'000, 134'000'000}) {
    Made made =
        with({{"assistant.layers", size > 100'000'000 ? "0" : "4"}, {"thoughts.count", "32"}});
    made.assistant = size;
    add("assistant" + std::to_string(size), made);
  }
  Made transfer = with({{"thoughts.count", "2"}, {"data.task", "svamp"}});
  transfer.task = "svamp";
  add("transfer", transfer);
  cells.push_back({{"name", "bad"},
                   {"run", "bad"},
                   {"results", ""},
                   {"status", "failed"},
                   {"error", "no memory"}});
  cells.push_back(
      {{"name", "late"}, {"run", "late"}, {"results", ""}, {"status", "missing"}, {"error", ""}});
  write(
      folder / "sweep.json",
      nlohmann::json(
          {{"schema", "softcot-sweep/1"}, {"title", ""}, {"sweep_hash", "5eeb"}, {"cells", cells}})
          .dump());
}

}  // namespace softcot::test
