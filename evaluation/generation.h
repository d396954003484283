#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "evaluation/sampling.h"
#include "model/soft_prompt.h"

namespace softcot {

struct GenerationOptions {
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 512;  ///< At least 1.
  std::int64_t rows_in_flight =
      16;  ///< Rows decoded at once; a finished row makes place for a waiting one.
  bool record_steps =
      true;  ///< On a GPU: steps are recorded and repeated. Off: a test's reference.
  std::vector<std::int64_t> stop_tokens;  ///< Ends a row; kept as its last id. Empty: never stops.
};

/// A prompt: target_begin is its end, ids beyond it are ignored. Many requests may ask for one.
using SharedPrompt = std::shared_ptr<const SoftRow>;
inline SharedPrompt share_prompt(SoftRow row) {
  return std::make_shared<const SoftRow>(std::move(row));
}

/// One continuation asked for. Its numbers depend on nothing but itself: not on the other requests,
/// the rows in flight or the ranks.
struct GenerationRequest {
  SharedPrompt prompt;
  at::Tensor soft;  ///< [N, H], the projected thoughts; undefined without any.
  std::uint64_t seed = 0;
  std::uint64_t question = 0;  ///< Key of the random stream: a hash of the question's id.
  std::uint64_t sample = 0;    ///< Key of the random stream: which of its samples.
};

enum class Finish { kStop, kLength };

struct Generation {
  std::vector<std::int64_t> ids;  ///< The new tokens, the stop token included.
  Finish finish = Finish::kLength;
};

/// What a call of generate() computed.
struct GenerationWork {
  std::int64_t prompt_tokens = 0;  ///< Read, those of a prefix that the model shares left out.
  std::int64_t new_tokens = 0;
};

/// Continues every request and hands each result over as soon as it is there: `done(index in
/// requests, result)`. If given, `token(index in requests, id)` is called for each new token as it
/// is chosen, the stop token included. Rows join and leave the batch between any two tokens. A
/// prompt that several requests in succession ask for (with the same tensor `soft`) is read once.
/// Collective over tp: all ranks of a replica pass the same requests and get the same results.
GenerationWork generate(const SoftPromptModel& model,
                        const std::vector<GenerationRequest>& requests,
                        const GenerationOptions& options,
                        const std::function<void(std::size_t, const Generation&)>& done,
                        const std::function<void(std::size_t, std::int64_t)>& token = {});

}  // namespace softcot
