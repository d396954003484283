#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/prompt.h"
#include "data/row.h"
#include "data/thought_cache_key.h"
#include "launch/run_options.h"
#include "model/projection.h"
#include "model/trained_parts.h"

namespace softcot {

/// What decides the outcome of a training run, as its checkpoints record it: a resume must agree in
/// all of it. Ranks and switches that only save work are not part of it.
nlohmann::json run_identity(const RunOptions& run, const ThoughtCacheKey& key,
                            const PromptTemplate& prompt, const std::string& backbone_hash);

/// The ids that all rows begin with, ending before any thought or target.
std::vector<std::int64_t> shared_prefix(const std::vector<Row>& rows);

/// "projection.weight [576, 576]" for each trained tensor.
std::vector<std::string> parameter_shapes(const TrainedParts& parts);

/// A trained projection and the checkpoint it came from.
struct TrainedProjection {
  Projection projection;
  std::filesystem::path checkpoint;
  nlohmann::json identity;  ///< run_identity of the run that trained it.
};

/// The newest usable checkpoint of a run folder, or a checkpoint folder itself. Throws kCheckpoint
/// when there is none. Local.
TrainedProjection load_projection(const std::filesystem::path& run_or_checkpoint);

/// Throws kCheckpoint unless what is `now` in use is what the projection was trained with; `what`
/// names it: "backbone".
void require_trained_with(const TrainedProjection& trained, const std::string& what,
                          const std::string& now, const std::string& then);

}  // namespace softcot
