#include "launch/run/run_data.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <functional>

#include "data/chat_template.h"
#include "model/model_hash.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/log.h"

namespace softcot {
namespace {

RecordRange range_of(std::int64_t offset, std::int64_t limit) {
  RecordRange range;
  range.offset = static_cast<std::size_t>(offset);
  if (limit > 0) range.limit = static_cast<std::size_t>(limit);
  return range;
}

/// The records of data.file that train-share leaves to training or takes from it.
std::vector<Record> shared_file(const DataOptions& data, bool for_training, RecordRange range) {
  std::vector<Record> records =
      read_benchmark(data.task, data.file, {}, for_training ? data.quirks : TrainingQuirks{});
  // A share such as 0.29 of 100 must not come out as 28 for the rounding of its last bit.
  constexpr double kRounding = 1e-9;
  const double share = data.train_share * static_cast<double>(records.size());
  const auto cut = records.begin() + static_cast<std::ptrdiff_t>(std::floor(share + kRounding));
  records.erase(for_training ? cut : records.begin(), for_training ? records.end() : cut);
  if (records.size() <= range.offset) {
    fail(ExitCode::kInput, {.what = "no record in the wanted range",
                            .where = data.file.string(),
                            .expected = fmt::format("an offset below {}", records.size()),
                            .got = fmt::format("offset {}", range.offset),
                            .fix = "see data.train-share and the offsets"});
  }
  records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(range.offset));
  if (records.size() > range.limit) records.resize(range.limit);
  return records;
}

/// An option on in the run counts as part of the key under the name the cache knows.
PromptMode prompt_mode(ThoughtPrompt prompt) {
  return prompt == ThoughtPrompt::kCounted ? PromptMode::kCounted : PromptMode::kUncounted;
}

/// The rows that `row_of` makes of a split's records, but for those that are too long.
SplitRows rows_of(const Split& split, const DataOptions& data,
                  const std::function<Row(const Record&)>& row_of) {
  SplitRows result;
  for (std::size_t i = 0; i < split.records.size(); ++i) {
    Row row = row_of(split.records[i]);
    if (!row_fits(row, data.max_length, data.on_long_row)) {
      ++result.skipped;
      continue;
    }
    result.rows.push_back(std::move(row));
    result.records.push_back(static_cast<std::int64_t>(i));
  }
  if (result.skipped > 0) {
    log_warning("{} of {} {} rows are longer than {} tokens and left out", result.skipped,
                split.records.size(), split.name, data.max_length);
  }
  if (result.rows.empty()) {
    fail(ExitCode::kInput,
         {.what = "no row is short enough", .where = split.name, .fix = "raise --data.max-length"});
  }
  return result;
}

}  // namespace

TextModel TextModel::open(const std::filesystem::path& path) {
  ModelConfig config = read_model_config(path);
  Tokenizer tokenizer = Tokenizer::load(path);
  const Family family = detect_family(tokenizer, config.model_type);
  warn_of_chat_template(path, family);
  return {path, std::move(config), std::move(tokenizer), family};
}

std::string Split::content_hash() const {
  Hasher hasher;
  const auto add = [&](const std::string& text) {
    hasher.add(static_cast<std::uint64_t>(text.size()));
    hasher.add(text);
  };
  for (const Record& record : records) {
    for (const auto* text : {&record.id, &record.question, &record.answer}) add(*text);
    hasher.add(static_cast<std::uint64_t>(record.choices.size()));
    for (const auto& choice : record.choices) add(choice);
  }
  return hasher.hex();
}

void require_eval(const DataOptions& data) {
  if (data.has_eval()) return;
  fail(ExitCode::kUsage, {.what = "no held-out questions",
                          .where = "data.eval-file",
                          .fix = "name a file with --data.eval-file, or see data.train-share"});
}

Split train_split(const DataOptions& data) {
  const RecordRange range = range_of(data.offset, data.limit);
  if (data.train_share < 1) return {"train", shared_file(data, true, range)};
  return {"train", read_benchmark(data.task, data.file, range, data.quirks)};
}

std::optional<Split> eval_split(const DataOptions& data) {
  if (!data.has_eval()) return std::nullopt;
  const RecordRange range = range_of(data.eval_offset, data.eval_limit);
  if (data.eval_file.empty()) return Split{"eval", shared_file(data, false, range)};
  return Split{"eval", read_benchmark(data.task, data.eval_file, range)};
}

SplitRows backbone_rows(const RowBuilder& builder, const Split& split, std::int64_t thoughts,
                        const DataOptions& data) {
  return rows_of(split, data, [&](const Record& r) { return builder.backbone_row(r, thoughts); });
}

SplitRows written_rows(const RowBuilder& builder, const Split& split,
                       const std::map<std::string, std::string>& texts, const DataOptions& data) {
  return rows_of(split, data, [&](const Record& record) {
    return builder.backbone_row_with(record, texts.at(record.id));
  });
}

SplitRows latent_rows(const RowBuilder& builder, const Split& split, const Curriculum& curriculum,
                      std::int64_t stage, const DataOptions& data) {
  return rows_of(split, data, [&](const Record& record) {
    const auto steps = static_cast<std::int64_t>(record.rationale_steps.size());
    return builder.latent_row(record, curriculum.hidden_steps(stage, steps),
                              curriculum.latents(stage, steps), curriculum.has_markers());
  });
}

SplitRows latent_questions(const RowBuilder& builder, const Split& split,
                           const Curriculum& curriculum, std::int64_t stage,
                           const DataOptions& data) {
  return rows_of(split, data, [&](const Record& record) {
    return builder.latent_prompt(record, curriculum.latents(stage), curriculum.has_markers());
  });
}

std::vector<Row> assistant_rows(const RowBuilder& builder, const Split& split,
                                std::int64_t thoughts, const DataOptions& data) {
  std::vector<Row> rows;
  for (const Record& record : split.records) {
    rows.push_back(builder.assistant_row(record, thoughts));
    row_fits(rows.back(), data.max_length, OnLongRow::kFail);
  }
  return rows;
}

ThoughtCacheKey thought_key(const RunOptions& run, const TextModel& assistant,
                            const std::string& assistant_hash, const PromptTemplate& prompt,
                            const Split& split, std::int64_t thoughts) {
  const std::int64_t layers = run.assistant.load.layers;
  return {.assistant_hash = assistant_hash,
          .assistant_layers = layers > 0 ? layers : assistant.config.layers,
          .assistant_type = run.assistant.load.dtype == at::kBFloat16 ? ThoughtType::kBfloat16
                                                                      : ThoughtType::kFloat32,
          .tokenizer_hash = assistant.tokenizer.content_hash(),
          .prompt_hash = prompt.assistant_hash(),
          .thoughts = thoughts,
          .prompt_mode = prompt_mode(run.thoughts.prompt),
          .stored_type = run.thoughts.stored,
          .dataset_hash = split.content_hash(),
          .task = fmt::format("{}/{}", run.data.task, split.name),
          .rows = static_cast<std::int64_t>(split.records.size()),
          .width = assistant.config.hidden};
}

std::filesystem::path cache_folder(const RunOptions& run, const ThoughtCacheKey& key) {
  return run.thoughts.cache / folder_name(key);
}

std::string model_hash(const std::filesystem::path& folder, Communicator& world) {
  std::string hash = model_content_hash(folder);
  require_same(world, hash, fmt::format("what stands in {}", folder.string()));
  return hash;
}

ModelOptions assistant_of(const RunOptions& run) {
  ModelOptions options = run.assistant;
  if (options.path.empty()) options.path = run.model.path;
  return options;
}

}  // namespace softcot
