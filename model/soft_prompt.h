#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/GradMode.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/transformer.h"

namespace softcot {

/// One row as the backbone reads it: token ids of which some are placeholders for soft thoughts,
/// and of which the last ones are targets.
struct SoftRow {
  std::string id;                  ///< For messages.
  std::vector<std::int64_t> ids;   ///< [T]
  std::int64_t thought_begin = 0;  ///< Index of the first placeholder.
  std::int64_t thought_count = 0;  ///< N; 0 for a row without thoughts.
  std::int64_t target_begin =
      0;                    ///< Targets are ids[target_begin … T); ≥ 1 and after the thoughts.
  std::uint64_t noise = 0;  ///< Key of the row's random numbers, for dropout in training.

  std::int64_t targets() const { return static_cast<std::int64_t>(ids.size()) - target_begin; }
};

/// What may be left out of a step without changing its loss or gradient (docs/numerics.md has the
/// argument). All are on outside of tests.
struct WorkSwitches {
  bool pack = true;           ///< Rows one after another; off: padded on the right to the longest.
  bool target_logits = true;  ///< The output matrix at target positions only; off: everywhere.
  bool frozen_prefix = true;  ///< Tokens before the first thought without autograd.
  bool shared_prefix = true;  ///< The tokens that all rows begin with are computed once per run.
};

/// The frozen backbone with soft thoughts in its prompt.
class SoftPromptModel {
 public:
  /// `backbone` must outlive this object.
  SoftPromptModel(const Transformer& backbone, WorkSwitches switches);

  /// Changes the backbone by `lora` from now on; nullptr takes it off. Scores are then
  /// differentiable in it, and what could be left out only because the backbone is frozen is
  /// computed. It must outlive this object or the next call; share_prefix() again after it moved.
  void set_lora(const Lora* lora) { lora_ = lora; }
  const Lora* lora() const { return lora_; }

  /// Computes keys and values of a prefix that later rows may begin with; an empty one clears it.
  /// Does nothing when the switch is off. Collective over tp.
  void share_prefix(const std::vector<std::int64_t>& ids);
  std::int64_t shared_tokens() const { return static_cast<std::int64_t>(shared_ids_.size()); }

  /// Scores of all rows' targets, row after row: [Σ targets]. `soft` [Σ N, H] holds the projected
  /// thoughts of the rows, row after row; undefined when no row has any. nll is differentiable in
  /// `soft`. Rows that do not begin with the shared prefix are computed without it. Collective over
  /// tp.
  TokenScores score(const std::vector<SoftRow>& rows, const at::Tensor& soft) const;

  /// Runs the prompts ids[0 … target_begin) of the rows and returns for each the hidden state after
  /// its last token, [B, H]. `cached[b]` is the row: its own segment, with room for `more` tokens,
  /// behind the shared prefix's. Without autograd. Collective over tp.
  at::Tensor prefill(const std::vector<SoftRow>& rows, const at::Tensor& soft,
                     std::vector<PackedRow>& cached, std::int64_t more = 0) const;

  /// The hidden states [B, H] after the first `tokens[b]` ids of each row; `soft` fills the
  /// placeholders among those ids, row after row. Differentiable as score() is. Collective over tp.
  at::Tensor hidden_after(const std::vector<SoftRow>& rows, const std::vector<std::int64_t>& tokens,
                          const at::Tensor& soft) const;

  const Transformer& backbone() const { return backbone_; }

 private:
  bool trains_backbone() const {
    return (lora_ != nullptr || backbone_.trains_weights()) && at::GradMode::is_enabled();
  }
  /// The tokens [begin, end) that are computed of each row, and what they stand behind.
  struct Pass {
    std::vector<std::int64_t> begin;
    std::vector<std::int64_t> end;
    std::vector<PackedRow> packed;
  };
  bool begins_shared(const SoftRow& row) const;
  /// All of the rows but the shared prefix and the last token, which nothing follows.
  Pass behind_shared(const std::vector<SoftRow>& rows) const;
  /// Computes without autograd what stands before the first thoughts, whose keys and values are
  /// constants, and takes it out of the pass.
  void freeze_prefixes(const std::vector<SoftRow>& rows, Pass& pass) const;
  at::Tensor run_prompts(const std::vector<SoftRow>& rows, const std::vector<std::int64_t>& end,
                         const at::Tensor& soft, std::vector<PackedRow>& packed,
                         std::optional<std::int64_t> more) const;
  at::Tensor packed_inputs(const std::vector<SoftRow>& rows, const std::vector<std::int64_t>& begin,
                           const std::vector<std::int64_t>& end, const at::Tensor& soft) const;

  const Transformer& backbone_;
  WorkSwitches switches_;
  const Lora* lora_ = nullptr;
  std::vector<std::int64_t> shared_ids_;
  SharedSegment shared_;
};

}  // namespace softcot
