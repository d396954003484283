#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/attention.h"
#include "model/decoder_layer.h"
#include "model/kv_cache.h"
#include "model/layer_trace.h"
#include "model/linear.h"
#include "model/lora.h"
#include "model/model_config.h"
#include "model/nearest_tokens.h"
#include "model/parameter.h"
#include "model/rope.h"
#include "model/shard_plan.h"
#include "model/token_scores.h"
#include "runtime/communicator.h"

namespace softcot {

struct LoadOptions {
  at::ScalarType dtype = at::kFloat;  ///< Of the weights: float32 or bfloat16.
  std::int64_t layers = 0;  ///< Keep only the first so many, then the final norm; 0 = all.
  at::Device device = at::kCPU;
};

/// A decoder of the Llama or Qwen2 architecture, as one tensor-parallel rank holds it. Rows
/// are packed: a batch is [P, H] with the tokens of one row after those of another, never padded.
///
/// Activations are float32 on the host and of the weights' dtype on an accelerator. All ranks of
/// `tp` make the same calls with the same tokens; hidden states are whole and equal on all of them.
/// The class holds no state of a row: keys and values live in the rows' segments.
class Transformer {
 public:
  /// Reads a Hugging Face folder. Throws kInput for a bad folder, kUsage for an illegal tp size.
  /// `tp` must outlive the model. Local.
  Transformer(const std::filesystem::path& folder, const LoadOptions& options, Communicator& tp);

  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  const ModelConfig& config() const { return config_; }
  std::int64_t layers() const { return static_cast<std::int64_t>(layers_.size()); }
  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }
  at::ScalarType activation_dtype() const;
  /// Bytes of weights on this rank.
  std::int64_t weight_bytes() const;
  /// Parameters of the whole model, over all ranks.
  std::int64_t parameters() const { return parameters_; }

  /// Embeddings [P, H] of ids [P] (int64). Differentiable in trained weights alone. Collective over
  /// tp.
  at::Tensor embed(const at::Tensor& ids) const;

  /// Hidden states after the final norm [P, H] for inputs [P, H], P = the sum of the rows' tokens.
  /// Differentiable in `inputs` and in `lora`, which changes the matrices if it is given, when no
  /// row has an own segment; else runs without autograd and adds the new tokens to those segments.
  /// Collective over tp, in the backward pass too.
  at::Tensor forward(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
                     const Lora* lora = nullptr) const;

  /// forward() for the sake of the rows' segments alone: skips the final norm.
  void fill(const at::Tensor& inputs, const std::vector<PackedRow>& rows,
            const Lora* lora = nullptr) const;

  /// Whether decode() serves: on a GPU, without tensor parallelism.
  bool decodes_in_place() const;
  /// forward() of one token for each of B rows in parts of one memory, with everything that changes
  /// from step to step in tensors on the device: ids [B] and the rows' places. `part` is one of the
  /// parts; no row is longer than `longest` tokens. Waits for nothing, brings nothing from the host
  /// and advances no segment. [B, H]. Only where decodes_in_place(). Without autograd.
  at::Tensor decode(const at::Tensor& ids, const DeviceBatch::Places& places, const KvSegment& part,
                    std::int64_t longest) const;

  /// From now on all weights are trained: what this class computes under autograd is differentiable
  /// in them too. Throws kUsage unless the weights are float32 and tp divides the KV heads. Local.
  void train_weights();
  bool trains_weights() const { return !trained_.empty(); }
  /// Every weight by its Hugging Face name, once train_weights() was called; else none. They share
  /// the model's memory.
  const std::vector<Parameter>& trained_weights() const { return trained_; }
  /// Hash of this rank's part of every weight, as it is in memory. Local, some GB/s.
  std::string content_hash() const;
  /// Overwrites this rank's part of every weight; `whole(name, shape)` gives the tensor of a
  /// Hugging Face name. Local but for what `whole` does.
  void load_weights(
      const std::function<at::Tensor(const std::string& name, at::IntArrayRef shape)>& whole);

  /// Adds the changes of `lora` to the weights for good, rounded to their dtype. Local.
  void merge(const Lora& lora);

  /// Logits of `hidden` [K, H] over the whole vocabulary: [K, V] float32 on every rank. No
  /// autograd.
  at::Tensor logits(const at::Tensor& hidden) const;

  /// Scores of targets [K] (int64) after `hidden` [K, H]; nll is differentiable in hidden.
  TokenScores score(const at::Tensor& hidden, const at::Tensor& targets) const;

  /// The `count` tokens whose embeddings are nearest to each of `vectors` [K, H] by cosine
  /// similarity. Collective over tp.
  NearestTokens nearest(const at::Tensor& vectors, std::int64_t count) const;

  /// An empty segment for one row of this model.
  SharedSegment new_segment(std::int64_t capacity) const;
  /// One for each of several rows. On a device they are parts of one memory, which attention over
  /// all of them reads in place, and do not grow.
  std::vector<SharedSegment> new_segments(const std::vector<std::int64_t>& capacities) const;

 private:
  void for_each_weight(const std::function<void(const WeightRule& rule, const std::string& name,
                                                at::Tensor part)>& visit) const;
  at::Tensor run_layers(at::Tensor x, const std::vector<PackedRow>& rows, const Lora* lora) const;
  at::Tensor run_layer(const at::Tensor& x, std::int64_t index, const PackedBatch& batch,
                       const Lora* lora) const;

  ModelConfig config_;
  at::ScalarType dtype_;
  at::Device device_;
  Communicator& tp_;
  ShardPlan plan_;
  AttentionShape attention_;
  mutable RotaryEmbedding rope_;
  mutable TraceMemory traces_;
  std::vector<DecoderLayer> layers_;
  at::Tensor embedding_;   // [V_r, H]
  at::Tensor head_;        // [V_r, H]; the same tensor when tied
  at::Tensor final_norm_;  // [H]
  std::int64_t parameters_ = 0;
  std::vector<Parameter> trained_;
};

}  // namespace softcot
