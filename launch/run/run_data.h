#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/benchmark.h"
#include "data/row.h"
#include "data/thought_cache_key.h"
#include "data/thought_cache_reader.h"
#include "launch/options/run_options.h"
#include "runtime/communicator.h"
#include "trainer/curriculum.h"

namespace softcot {

/// Everything of a model folder but its weights.
struct TextModel {
  std::filesystem::path path;
  ModelConfig config;
  Tokenizer tokenizer;
  Family family;

  /// Throws kInput for a folder that is none, an unknown architecture or a tokenizer without the
  /// family's tokens. Local.
  static TextModel open(const std::filesystem::path& path);
};

/// Questions of one file.
struct Split {
  std::string name;  ///< "train" or "eval".
  std::vector<Record> records;

  /// Hash of all records in their order.
  std::string content_hash() const;
};
/// Throws kUsage when the options name no held-out questions.
void require_eval(const DataOptions& data);
Split train_split(const DataOptions& data);
/// Nothing where neither data.eval-file nor data.train-share leaves any.
std::optional<Split> eval_split(const DataOptions& data);

/// Rows of one model made from a split, and for each the record it was made from.
struct SplitRows {
  std::vector<Row> rows;
  std::vector<std::int64_t> records;  ///< Rising.
  std::int64_t skipped = 0;           ///< Longer than data.max-length.
};
/// Prompt, N placeholders and targets. Throws kInput for a row that is too long, unless such rows
/// are to be skipped.
SplitRows backbone_rows(const RowBuilder& builder, const Split& split, std::int64_t thoughts,
                        const DataOptions& data);
/// The same with what the assistant wrote, by question id, in the place of thoughts.
SplitRows written_rows(const RowBuilder& builder, const Split& split,
                       const std::map<std::string, std::string>& texts, const DataOptions& data);
/// The same for Coconut in a stage of its curriculum: prompt, latents and what is left to write.
SplitRows latent_rows(const RowBuilder& builder, const Split& split, const Curriculum& curriculum,
                      std::int64_t stage, const DataOptions& data);
/// Prompt and latents, as many as for a question whose rationale nobody knows. No targets.
SplitRows latent_questions(const RowBuilder& builder, const Split& split,
                           const Curriculum& curriculum, std::int64_t stage,
                           const DataOptions& data);
/// One row for each record.
std::vector<Row> assistant_rows(const RowBuilder& builder, const Split& split,
                                std::int64_t thoughts, const DataOptions& data);

/// The key of the cache of `split` with N thoughts. `assistant_hash` is model_hash of the
/// assistant's folder.
ThoughtCacheKey thought_key(const RunOptions& run, const TextModel& assistant,
                            const std::string& assistant_hash, const PromptTemplate& prompt,
                            const Split& split, std::int64_t thoughts);
std::filesystem::path cache_folder(const RunOptions& run, const ThoughtCacheKey& key);

/// Hash of a model folder's config and weights. Every rank reads its own: under one path machines
/// may have different files, which is kUsage. Collective over `world`.
std::string model_hash(const std::filesystem::path& folder, Communicator& world);

/// The assistant's options, with the backbone's folder where none is named.
ModelOptions assistant_of(const RunOptions& run);

}  // namespace softcot
