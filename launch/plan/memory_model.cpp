#include "launch/plan/memory_model.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>

#include "model/compiled_products.h"

namespace softcot {
namespace {

using Int = std::int64_t;

constexpr Int kFloat = 4;

// Resident set of a rank of this program with a model of no size (tests/fixtures, one thread),
// which is LibTorch's code and tables for the most part; what Open MPI adds when it is started; and
// a tokenizer by the size of its vocabulary, measured with SmolLM2's beside the fixtures'. Linux,
// x86-64, LibTorch 2.11 for CPUs.
constexpr Int kHostProcess = 160'000'000;
constexpr Int kHostMpi = 8'000'000;
constexpr Int kTokenizerBytes = 60;
/// Two copies of a row's ids, as the data reader and as the trainer have it.
constexpr Int kTokenBytes = 16;
// A CUDA context with the kernels of LibTorch and cuBLAS and the latter's workspace, and the
// buffers of an NCCL communicator.
constexpr Int kGpuProcess = 700'000'000;
constexpr Int kGpuCommunicator = 400'000'000;

/// Smaller blocks are cut out of the heap, which does not shrink; larger ones come out of a pool
/// that holds no more than was used at once (runtime/host_pool.h).
constexpr Int kHeapBlock = Int{128} << 10;
/// Of a trained layer's temporaries, so many of [P, H] leave holes that small tensors are then put
/// into, so that the next layer needs new ones. Found by watching the heap of SmolLM2-135M in
/// pieces of 324 and 594 tokens. Frozen layers have one block (model/layer_trace.h).
constexpr Int kLostOfLayer = 2;
/// Logits that exist at a time (score_targets).
constexpr Int kLogitBytes = Int{48} << 20;
/// Elements of a bfloat16 matrix that are widened at a time on the host (model/linear.cpp).
constexpr Int kWidenedElements = Int{1} << 21;
/// Elements that gradients are summed by (trainer/optimizer.cpp).
constexpr Int kBucketElements = Int{1} << 24;

/// The sizes that all moments are computed from.
class Rank {
 public:
  Rank(const Workload& work, Machine::Device device, int tp, int dp)
      : work_(work),
        host_(device == Machine::Device::kCpu),
        tp_(tp),
        dp_(dp),
        number_(host_ ? kFloat : work.weight_bytes),
        sizes_(work.backbone, tp),
        trained_(trained_sizes(work, tp)),
        kept_(kept_tensors()) {}

  PeakMemory peak(const std::vector<Piece>& pieces) const {
    PeakMemory most;
    const auto consider = [&](Moment moment, const MemoryParts& parts) {
      if (parts.total() > most.parts.total()) most = {moment, parts};
    };
    if (host_) consider(Moment::kLoading, loading());
    Int heap = 0;  // the most of it that any piece so far has used
    for (const Piece& piece : pieces) {
      heap = std::max(heap, kept_in_heap(piece) + lost_in_heap(piece));
      for (const Moment moment : {Moment::kScoring, Moment::kBackward}) {
        MemoryParts parts = moment == Moment::kScoring ? scoring(piece) : backward(piece);
        parts.gaps = heap - kept_in_heap(piece);
        consider(moment, parts);
      }
    }
    Int kept = 0;
    for (const Piece& piece : pieces) kept = std::max(kept, kept_block(piece));
    const auto beside_block = [kept](MemoryParts parts) {
      parts.activations += kept;
      return parts;
    };
    consider(Moment::kUpdate, beside_block(update()));
    if (host_) consider(Moment::kSaving, beside_block(saving()));
    return most;
  }

 private:
  /// What every moment has.
  MemoryParts standing() const {
    MemoryParts parts;
    const Int ranks = Int{tp_} * dp_;
    if (host_) {
      Int tokens = 0;
      for (const RowShape& row : work_.rows) tokens += row.tokens;
      const bool compiles = work_.weight_bytes == 2 && processor_multiplies_bf16();
      parts.process = kHostProcess + (compiles ? kKeptProducts * kCompiledProductBytes : 0) +
                      (ranks > 1 ? kHostMpi : 0) + tokens * kTokenBytes +
                      (work_.backbone.vocabulary + work_.assistant_vocabulary) * kTokenizerBytes;
    } else {
      parts.process = kGpuProcess + (ranks > 1 ? kGpuCommunicator : 0);
    }
    parts.weights = (sizes_.layer_matrices + sizes_.end_matrices) * work_.weight_bytes +
                    sizes_.vectors * kFloat;
    return parts;
  }

  /// What is mapped of the files for one matrix, beside the finished slices (model/weights.cpp).
  MemoryParts loading() const {
    MemoryParts parts = standing();
    parts.files = sizes_.most_touched * work_.file_weight_bytes;
    return parts;
  }

  /// In a step: trained parts, gradients and moments are there. Whole weights that are trained are
  /// the backbone's own.
  MemoryParts in_step() const {
    MemoryParts parts = standing();
    const Int beside = work_.method.full ? 0 : trained_.elements;
    const Int moments = 2 * ((trained_.elements + dp_ - 1) / dp_);
    parts.trained = (beside + trained_.elements + moments) * kFloat;
    if (work_.shares_prefix()) {
      parts.shared_prefix = 2 * sizes_.layers * sizes_.key_value * work_.shared_tokens * number_;
    }
    return parts;
  }

  /// Tensors that the forward pass keeps in each layer for the backward pass: bytes for each token.
  /// On a GPU the keys and values are not among them (gathered_keys).
  std::vector<Int> kept_tensors() const {
    const Int h = sizes_.hidden * number_;
    const Int product = work_.frozen_backbone() ? product_number() : number_;
    const Int f = sizes_.feed_forward * product;
    const Int heads = host_ ? sizes_.qkv * product : (sizes_.query + sizes_.key_value) * number_;
    // Queries, keys and values, attention's output, the log-sum-exp of each head, gate and up, the
    // scales of the two norms.
    std::vector<Int> tensors = {
        heads, sizes_.query * number_, sizes_.query_heads * kFloat, 2 * f, kFloat, kFloat};
    const auto add = [&](std::initializer_list<Int> more) { tensors.insert(tensors.end(), more); };
    add({h, h});                         // inputs of the two norms
    if (!host_) add({f});                // silu(gate)
    if (work_.method.full) add({h, h});  // inputs of the products; attention's output is there
    if (work_.method.full && host_) add({f});
    if (work_.method.lora) {
      for (const LoraMatrix& matrix : lora_matrices(work_, tp_)) {
        // The product with the dropout's mask, the mask, and the product with A.
        const Int inputs = matrix.inputs.size() * number_;
        add({inputs, work_.lora_rank * number_});
        if (work_.lora_dropout) add({inputs});
      }
    }
    return tensors;
  }

  /// Of what a piece keeps, that which lies in a host's heap.
  Int kept_in_heap(const Piece& piece) const {
    if (!host_ || has_block()) return 0;
    Int sum = 0;
    for (const Int bytes : kept_) {
      if (piece.tokens * bytes < kHeapBlock) sum += piece.tokens * bytes;
    }
    return sum * sizes_.layers;
  }

  /// Whether what layers keep lies in one block, which stays from step to step.
  bool has_block() const { return host_ && work_.frozen_backbone(); }
  Int kept_block(const Piece& piece) const {
    return has_block() ? piece.tokens * sizes_.layers * of_layer() : 0;
  }

  /// Bytes that a layer keeps of a token.
  Int of_layer() const { return std::accumulate(kept_.begin(), kept_.end(), Int{0}); }

  Int lost_in_heap(const Piece& piece) const {
    if (!host_ || has_block()) return 0;
    const Int bytes = piece.tokens * sizes_.hidden * number_;
    return bytes < kHeapBlock ? kLostOfLayer * bytes * sizes_.layers : 0;
  }

  /// Everything that is kept when the last layer is done.
  MemoryParts after_forward(const Piece& piece) const {
    MemoryParts parts = in_step();
    parts.keys_values = 2 * sizes_.layers * sizes_.key_value * piece.frozen_tokens * number_;
    // Beside the layers: the last norm's input.
    parts.activations = piece.tokens * (sizes_.layers * of_layer() + sizes_.hidden * number_);
    if (!host_) parts.activations += sizes_.layers * gathered_keys(piece);
    return parts;
  }

  /// Keys and values of a layer as a GPU attends to them: a copy, each row's in one piece.
  Int gathered_keys(const Piece& piece) const {
    return 2 * sizes_.key_value * piece.keys * number_;
  }

  /// Bytes of a number that comes out of a product with the backbone's weights.
  Int product_number() const {
    return host_ && work_.weight_bytes == 2 && processor_multiplies_bf16() ? 2 : number_;
  }

  Int chunk_bytes(const Piece& piece) const {
    const Int positions =
        std::min(piece.scored, std::max<Int>(1, kLogitBytes / (kFloat * sizes_.vocabulary)));
    const Int device = kFloat + (number_ == kFloat ? 0 : number_);
    return positions * sizes_.vocabulary * (host_ ? product_number() : device);
  }

  /// A block of a narrow matrix that the host widens.
  Int widened() const {
    return host_ && work_.weight_bytes == 2 ? std::min(kWidenedElements, sizes_.largest) * kFloat
                                            : 0;
  }

  MemoryParts scoring(const Piece& piece) const {
    MemoryParts parts = after_forward(piece);
    const Int h = sizes_.hidden * number_;
    // All outputs, those that are scored, their gradients.
    parts.activations += piece.tokens * h + 2 * piece.scored * h;
    parts.logits = chunk_bytes(piece) + widened();
    return parts;
  }

  MemoryParts backward(const Piece& piece) const {
    MemoryParts parts = after_forward(piece);
    // Gradients of one layer; a host rotates its queries, keys and values again.
    const Int numbers =
        3 * sizes_.feed_forward + 2 * sizes_.hidden + (has_block() ? sizes_.qkv : 0);
    parts.activations +=
        (piece.tokens * numbers + piece.scored * sizes_.hidden) * number_ + widened();
    if (tp_ > 1) parts.communication = 2 * piece.tokens * sizes_.hidden * number_;
    if (work_.method.full) {
      // Logits again, and the gradient of the head.
      parts.logits = chunk_bytes(piece) + sizes_.vocabulary * sizes_.hidden * kFloat;
    }
    return parts;
  }

  MemoryParts update() const {
    MemoryParts parts = in_step();
    // The norm is taken in float64: a widened copy and its square, tensor by tensor.
    parts.trained += 16 * trained_.largest;
    MemoryParts sums = in_step();
    if (dp_ > 1) {
      // Values before, gathered and moved; or a bucket of gradients, twice.
      const Int gathered = 3 * trained_.elements + trained_.elements / dp_;
      const Int bucket =
          2 * std::min(trained_.elements, std::max(kBucketElements, trained_.largest));
      sums.communication = std::max(gathered, bucket) * kFloat;
    }
    return parts.total() > sums.total() ? parts : sums;
  }

  MemoryParts saving() const {
    MemoryParts parts = in_step();
    parts.checkpoint = 3 * trained_.whole * kFloat;
    parts.files = parts.checkpoint;  // what was written is mapped to be hashed
    return parts;
  }

  const Workload& work_;
  bool host_;
  int tp_, dp_;
  Int number_;  // bytes of a number of activations
  ShardSizes sizes_;
  TrainedSizes trained_;
  std::vector<Int> kept_;
};

}  // namespace

const char* moment_name(Moment moment) {
  switch (moment) {
    case Moment::kLoading:
      return "loading";
    case Moment::kScoring:
      return "scoring";
    case Moment::kBackward:
      return "backward";
    case Moment::kUpdate:
      return "update";
    case Moment::kSaving:
      return "saving";
  }
  return "";
}

PeakMemory peak_memory(const Workload& work, Machine::Device device, int tp, int dp,
                       const std::vector<Piece>& pieces) {
  return Rank(work, device, tp, dp).peak(pieces);
}

std::int64_t key_value_bytes(const ModelConfig& config, std::int64_t number_bytes) {
  return 2 * config.layers * config.kv_heads * config.head_width * number_bytes;
}

}  // namespace softcot
