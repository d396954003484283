#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/chat_format.h"
#include "data/compat.h"
#include "data/prompt.h"
#include "data/record.h"
#include "data/special_tokens.h"
#include "data/tokenizer.h"

namespace softcot {

/// Positions [begin, begin + count) of a row.
struct Span {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  bool operator==(const Span&) const = default;
};

/// One sequence for a model. Positions count from 0 in `ids`.
struct Row {
  std::string id;                 ///< The record's.
  std::vector<std::int64_t> ids;  ///< [T]
  Span thoughts;                  ///< The N placeholders; {0, 0} without thoughts.
  std::int64_t target_begin = 0;  ///< Targets are ids[target_begin … T); none if it is T.
  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
};

/// Makes rows for one model from records. Words of a record are plain text: no question can bring a
/// special token into a row. Keeps references to tokenizer and template, which outlive it.
class RowBuilder {
 public:
  /// `quirks` change the targets of rows: last_token_cut takes the end of the turn from a Llama's
  /// (the line break that ChatML ends with is no target in either case), turn_opening_trained adds
  /// turn_opening() to those of rows whose prompt ends with it, which Coconut's do not.
  /// @throws Error kInput if the tokenizer lacks a token of the family.
  RowBuilder(const Tokenizer& tokenizer, Family family, const PromptTemplate& prompt,
             const TrainingQuirks& quirks = {});

  /// For the assistant: question, then its turn up to and with the last of n placeholders; what
  /// would follow cannot change the thoughts. No targets.
  /// @throws Error kUsage if n < 1.
  Row assistant_row(const Record& record, std::int64_t n) const;

  /// For the backbone, ending where its turn begins: the question, with n > 0 also the hint and
  /// begin marker, n placeholders, end marker. No targets. n = 0 is zero-shot chain of thought.
  /// @throws Error kUsage if n < 0.
  Row backbone_prompt(const Record& record, std::int64_t n) const;

  /// backbone_prompt followed by the targets: rationale, answer and the end of the turn.
  Row backbone_row(const Record& record, std::int64_t n) const;

  /// For an assistant that writes at most n tokens of text about the question. No targets.
  Row writing_prompt(const Record& record, std::int64_t n) const;

  /// backbone_row with what the assistant wrote, as plain words, in the place of thoughts.
  Row backbone_row_with(const Record& record, const std::string& written) const;

  /// For Coconut: the question without thoughts, then the backbone's turn with begin marker,
  /// `latents` placeholders and end marker (no markers unless `markers`). No targets.
  Row latent_prompt(const Record& record, std::int64_t latents, bool markers) const;

  /// latent_prompt followed by the targets: the rationale but for its first `hidden` steps, answer
  /// and the end of the turn.
  Row latent_row(const Record& record, std::int64_t hidden, std::int64_t latents,
                 bool markers) const;

  const SpecialTokens& tokens() const { return tokens_; }
  /// The ids that open the backbone's turn; every prompt of whole words ends with them.
  const std::vector<std::int64_t>& turn_opening() const { return turn_opening_; }

 private:
  void append_targets(Row& row, const std::string& text) const;
  void train_turn_opening(Row& row) const;
  Row finish(const Record& record, const std::vector<ChatPiece>& chat, std::int64_t n) const;

  const Tokenizer& tokenizer_;
  const PromptTemplate& prompt_;
  SpecialTokens tokens_;
  TrainingQuirks quirks_;
  std::vector<std::int64_t> turn_opening_;
};

/// Length of the longest beginning that all rows share, ending at the latest before any row's first
/// thought or first target. 0 for no rows.
std::int64_t longest_common_prefix(std::span<const Row> rows);

/// Hash of all rows in their order: what a training or an evaluation over them depends on.
std::string content_hash(std::span<const Row> rows);

enum class OnLongRow {
  kFail,  ///< Error kInput naming the row.
  kSkip,  ///< It is left out, and the caller counts and reports it.
};

/// Whether a row is to be used: true if it has at most `max_tokens` ids.
/// @throws Error kInput naming the row's id if it is longer and `policy` is kFail.
bool row_fits(const Row& row, std::int64_t max_tokens, OnLongRow policy);

}  // namespace softcot
