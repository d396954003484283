#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/prompt.h"
#include "data/row.h"
#include "data/thought_cache_key.h"
#include "launch/options/run_options.h"
#include "launch/run/run_data.h"
#include "model/trained_parts.h"
#include "trainer/curriculum.h"

namespace softcot {

/// What a run trained and the checkpoint it came from.
struct TrainedRun {
  TrainedParts parts;
  std::filesystem::path checkpoint;
  nlohmann::json identity;   ///< run_identity of the run that trained it; of an adapter a part.
  std::string content_hash;  ///< Of every trained number.

  std::string method() const { return identity.at("method").get<std::string>(); }
};

/// The rows that a run trains on, those of all stages of a curriculum.
struct TrainingContents {
  std::int64_t rows = 0;  ///< Of the first stage.
  std::string hash;
};

/// What decides the outcome of a training run, as its checkpoints record it: a resume must agree in
/// all of it. Ranks and switches that only save work are not part of it.
/// `key` is that of the training rows' thoughts, for methods with an assistant; `stages` are those
/// of Coconut's curriculum; `initial` is the adapter that the training begins with.
nlohmann::json run_identity(const RunOptions& run, const std::optional<ThoughtCacheKey>& key,
                            const PromptTemplate& prompt, const TextModel& backbone,
                            const std::string& backbone_hash, const TrainingContents& contents,
                            const std::vector<Stage>& stages,
                            const std::optional<TrainedRun>& initial = {});

/// The adapter that lora.adapter names, if run.method has a LoRA. Throws kInput for one that does
/// not fit this backbone, kCheckpoint for one that we trained on another. Local.
std::optional<TrainedRun> initial_adapter(const RunOptions& run, const ModelConfig& backbone,
                                          const std::string& backbone_hash);

/// What run.method trains, as it is at the first step: of full fine-tuning the weights of
/// `backbone`, which become trained; of LoRA the pairs of `initial`, if there is one.
/// `assistant_width` is read by methods with an assistant. Collective over the backbone's tp.
TrainedParts new_parts(const RunOptions& run, Transformer& backbone, std::int64_t assistant_width,
                       const std::optional<TrainedRun>& initial = {});

/// The ids that all rows begin with, ending before any thought or target.
std::vector<std::int64_t> shared_prefix(const std::vector<Row>& rows);

/// "projection.weight [576, 576]" for each trained tensor; LoRA's by target over all layers:
/// "lora q_proj 30 × ([16, 576], [576, 16])".
std::vector<std::string> parameter_summary(const TrainedParts& parts);

/// The newest usable checkpoint of a run folder, or the one after `step` updates, or a checkpoint
/// folder itself, or a PEFT adapter folder (method "lora"), for a backbone of this shape. Throws
/// kCheckpoint when there is none or it belongs to another shape, kInput for an adapter that is bad
/// or does not fit. Local.
TrainedRun load_trained(const std::filesystem::path& run_or_checkpoint, const ModelConfig& backbone,
                        std::optional<std::uint64_t> step = {});

/// What full fine-tuning left of the backbone: every weight by its Hugging Face name, whole,
/// float32. Throws kCheckpoint where the checkpoint is damaged. Local.
std::map<std::string, at::Tensor> trained_weights(const TrainedRun& trained);

/// Makes `backbone` the one that full fine-tuning left. Local.
void load_trained_weights(const TrainedRun& trained, Transformer& backbone);

/// The curriculum that a run of Coconut was trained by, and its stages.
Curriculum curriculum_of(const TrainedRun& trained);
std::vector<Stage> stages_of(const TrainedRun& trained);

/// Throws kCheckpoint unless what is `now` in use is what the run was trained with; `what` names
/// it: "backbone".
void require_trained_with(const TrainedRun& trained, const std::string& what,
                          const std::string& now, const std::string& then);
/// That of a model's hash, and for the assistant of the layers it ran with.
void require_backbone(const TrainedRun& trained, const std::string& hash);
void require_tokenizer(const TrainedRun& trained, const Tokenizer& tokenizer);
void require_assistant(const TrainedRun& trained, const std::string& hash, std::int64_t layers);
/// Warns where fewer placeholders are in use than vectors were trained together: the others are cut
/// off, which is not what was trained.
void warn_of_cut_vectors(const TrainedRun& trained, std::int64_t placeholders);

}  // namespace softcot
