#include "launch/run/written_thoughts.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <system_error>

#include "data/sampler.h"
#include "evaluation/question.h"
#include "launch/run/cache_turn.h"
#include "launch/run/generation_config.h"
#include "launch/run/sample_parts.h"
#include "runtime/atomic_file.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "trainer/train_data.h"

namespace softcot {
namespace {

/// All that decides the texts, by name.
nlohmann::ordered_json key_of(const RunOptions& run, const TextModel& text, const Split& split,
                              const PromptTemplate& prompt, Communicator& world) {
  const ModelOptions assistant = assistant_of(run);
  const std::int64_t layers = assistant.load.layers;
  const double temperature = run.thoughts.written_temperature;
  return {{"assistant_hash", model_hash(assistant.path, world)},
          {"assistant_layers", layers > 0 ? layers : text.config.layers},
          {"assistant_type", toString(assistant.load.dtype)},
          {"tokenizer_hash", text.tokenizer.content_hash()},
          {"prompt_hash", prompt.write_hash()},
          {"tokens", run.thoughts.count_in_evaluation()},
          {"temperature", temperature},
          {"seed", temperature > 0 ? run.evaluate.seed : 0},
          {"task", fmt::format("{}/{}", run.data.task, split.name)},
          {"dataset_hash", split.content_hash()}};
}

/// This replica's share of the questions.
std::vector<Question> questions_of(const RunOptions& run, const RowBuilder& builder,
                                   const Split& split, const ProcessGroups& groups) {
  std::vector<std::int64_t> all(split.records.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<Question> questions;
  for (const auto i : rank_share(all, groups.dp_index, groups.mesh.dp())) {
    const Record& record = split.records[static_cast<std::size_t>(i)];
    const Row row = builder.writing_prompt(record, run.thoughts.count_in_evaluation());
    row_fits(row, run.data.max_length, OnLongRow::kFail);
    questions.push_back({record, to_soft_row(row), {}});
  }
  return questions;
}

void write_missing(const RunOptions& run, const TextModel& text, const Split& split,
                   const PromptTemplate& prompt, const ProcessGroups& groups,
                   const SampleParts& parts, const std::set<SampleKey>& completed) {
  const RowBuilder builder(text.tokenizer, text.family, prompt);
  const auto questions = questions_of(run, builder, split, groups);
  const ModelOptions options = assistant_of(run);
  const Transformer assistant(options.path, options.load, *groups.tp);
  SoftPromptModel model(assistant, {});
  QuestionOptions how;
  how.generation = run.evaluate.generation;
  how.generation.max_new_tokens = run.thoughts.count_in_evaluation();
  how.generation.sampling = {.temperature = run.thoughts.written_temperature};
  if (groups.world->rank() == 0) {
    warn_of_generation_config(options.path, how.generation.sampling, std::nullopt);
  }
  how.generation.stop_tokens = builder.tokens().stop;
  how.seed = run.evaluate.seed;
  std::optional<SampleLog> log;
  if (groups.tp_index == 0) log.emplace(parts.part(groups.dp_index), parts.key);
  Progress progress("written thoughts", questions.size(), "questions", groups.world->rank() == 0);
  answer_questions(model, text.tokenizer, questions, how, completed, [&](const Sample& sample) {
    if (log) log->append(sample);
    progress.advance(1);
  });
  progress.finish();
  if (log) log->flush();
}

/// Where the texts of this key are kept.
SampleParts parts_of(const RunOptions& run, const nlohmann::ordered_json& key) {
  const std::string hash = hash_bytes(key.dump());
  const auto folder =
      run.thoughts.cache /
      fmt::format("written-N{}-{}", run.thoughts.count_in_evaluation(), hash.substr(0, 12));
  return {folder, "texts", hash};
}

/// Texts that are there, also those that replicas of a job under way have not merged yet.
std::size_t count_texts(const SampleParts& parts) {
  std::size_t count = 0;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(parts.folder, unreadable)) {
    if (entry.path().extension() != ".jsonl") continue;
    std::ifstream file(entry.path());
    std::string head;
    std::getline(file, head);
    for (std::string line; std::getline(file, line);) ++count;
  }
  return count;
}

std::map<std::string, std::string> texts_of(const SampleParts& parts) {
  std::map<std::string, std::string> texts;
  for (const Sample& sample : read_samples(parts.whole())) {
    texts[sample.question_id] = sample.text;
  }
  return texts;
}

}  // namespace

std::map<std::string, std::string> kept_written_thoughts(const RunOptions& run, const Split& split,
                                                         const PromptTemplate& prompt) {
  SingleCommunicator alone;
  const TextModel text = TextModel::open(assistant_of(run).path);
  const SampleParts parts = parts_of(run, key_of(run, text, split, prompt, alone));
  return std::filesystem::exists(parts.whole()) ? texts_of(parts)
                                                : std::map<std::string, std::string>();
}

std::map<std::string, std::string> written_thoughts(const RunOptions& run, const Split& split,
                                                    const PromptTemplate& prompt,
                                                    const ProcessGroups& groups) {
  const TextModel text = TextModel::open(assistant_of(run).path);
  const auto key = key_of(run, text, split, prompt, *groups.world);
  const SampleParts parts = parts_of(run, key);
  const auto& folder = parts.folder;
  const auto wanted = split.records.size();
  const auto is_complete = [&] { return parts.completed().size() >= wanted; };
  const auto progress = [&] {
    return fmt::format("{} of {} texts are there", count_texts(parts), wanted);
  };
  const auto [complete, lock] =
      wait_for_turn({"written thoughts", folder, is_complete, progress}, *groups.world);
  if (complete) return texts_of(parts);
  if (lock) {
    write_file_atomically(folder / kWrittenKeyName, key.dump(2) + "\n");
    parts.merge();
  }
  groups.world->barrier();
  const auto completed = parts.completed();
  if (completed.size() < split.records.size()) {
    log_info("{}: the assistant writes about {} of {} questions, into {}", split.name,
             split.records.size() - completed.size(), split.records.size(), folder.string());
    write_missing(run, text, split, prompt, groups, parts, completed);
    groups.world->barrier();
    if (groups.world->rank() == 0) parts.merge();
  }
  groups.world->barrier();
  return texts_of(parts);
}

}  // namespace softcot
