#pragma once

#include <cstdint>

#include "launch/plan/machine.h"
#include "launch/plan/workload.h"

namespace softcot {

/// Bytes on one rank at one moment, by what they are for.
struct MemoryParts {
  std::int64_t process = 0;        ///< Program, libraries, tokenizers; a GPU's context.
  std::int64_t files = 0;          ///< Pages of model files that are mapped while they are read.
  std::int64_t weights = 0;        ///< The backbone's, once they are loaded.
  std::int64_t trained = 0;        ///< Trained parts beside it, gradients, AdamW's moments.
  std::int64_t shared_prefix = 0;  ///< Keys and values of what all rows begin with.
  std::int64_t keys_values = 0;    ///< Those of the rows' own frozen tokens.
  std::int64_t activations = 0;    ///< Kept for the backward pass, and of the layer in work.
  std::int64_t gaps = 0;           ///< Of a host's heap, where earlier pieces' tensors lay.
  std::int64_t logits = 0;         ///< Of one chunk of positions.
  std::int64_t communication = 0;  ///< Copies that are summed or gathered.
  std::int64_t checkpoint = 0;     ///< Copies of what is saved, on rank 0's host.

  std::int64_t total() const {
    return process + files + weights + trained + shared_prefix + keys_values + activations + gaps +
           logits + communication + checkpoint;
  }
};

/// When a rank holds the most.
enum class Moment { kLoading, kScoring, kBackward, kUpdate, kSaving };
const char* moment_name(Moment moment);

struct PeakMemory {
  Moment moment = Moment::kLoading;
  MemoryParts parts;
};

/// The most that rank 0 of a layout holds in a run: while it loads, in the forward and backward
/// pass of any of `pieces`, in the update, and while it saves. `dp` is the number of replicas.
///
/// It counts the tensors that model/ and trainer/ hold, one by one: change it with them. On a CPU
/// tests/distributed/plan_memory_test.cpp holds it to 10 % of what the system measured.
PeakMemory peak_memory(const Workload& work, Machine::Device device, int tp, int dp,
                       const std::vector<Piece>& pieces);

/// Bytes of keys and values of one token of the whole model, in numbers of `number_bytes`.
std::int64_t key_value_bytes(const ModelConfig& config, std::int64_t number_bytes);

}  // namespace softcot
