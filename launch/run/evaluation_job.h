#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evaluation/prompt_log.h"
#include "evaluation/question.h"
#include "evaluation/result_table.h"
#include "launch/run/contestant.h"
#include "launch/run/run_data.h"
#include "launch/run/sample_parts.h"
#include "launch/run/set_aside.h"
#include "launch/run/trained_model.h"
#include "model/transformer.h"
#include "runtime/process_world.h"
#include "trainer/train_data.h"

namespace softcot {

/// One evaluation job, the same on every rank: the held-out questions, the backbone, and one
/// contestant after another.
class EvaluationJob {
 public:
  /// Reads questions, tokenizer and prompts. `run` and `groups` must outlive the job. Collective
  /// over the world.
  EvaluationJob(const RunOptions& run, const ProcessGroups& groups);

  /// Throws what run() would for a contestant that is not there or does not fit: before hours of
  /// another's answers. Collective over the world.
  void check(const Contestant& contestant);

  /// Answers what the contestant's sample file lacks: afterwards it holds all samples. Returns how
  /// many questions are left out as too long. Collective over the world.
  std::size_t run(const Contestant& contestant);

  /// What the contestants so far were made from.
  const Provenance& provenance() const { return provenance_; }

 private:
  void make_room(const SampleParts& parts);
  void open_backbone();
  void open_trained(const Contestant& contestant);
  TrainedRun load_contestant(const Contestant& contestant) const;
  std::vector<Question> questions_of(const Contestant& contestant);
  std::int64_t opening_of(const SoftRow& row) const;
  SplitRows rows_of(const Contestant& contestant, std::int64_t thoughts) const;
  QuestionOptions question_options(const Contestant& contestant) const;
  void fill_latents(const SoftPromptModel& model, std::vector<Question>& questions) const;
  ThoughtCache thoughts_for(const TrainedRun& trained);
  std::string note_assistant(const TextModel& assistant);
  void note_trained();
  std::vector<PromptText> prompts_of(const std::vector<Question>& questions) const;
  std::vector<Question> share(const std::vector<Question>& questions) const;
  std::string sample_key(const Contestant& contestant, const std::string& rows_hash) const;

  const RunOptions& run_;
  const ProcessGroups& groups_;
  TextModel text_;
  std::string backbone_hash_;
  std::string assistant_hash_;  // Once it was asked for.
  PromptTemplate prompt_;
  RowBuilder builder_;
  Split split_;
  std::unique_ptr<Transformer> backbone_;
  std::vector<Row> rows_;              // Of the present contestant,
  std::optional<TrainedRun> trained_;  // as is this.
  std::set<std::string> warned_;       // Methods whose vectors are cut.
  Provenance provenance_;
  SetAside set_aside_;
};

}  // namespace softcot
