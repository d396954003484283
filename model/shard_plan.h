#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_config.h"

namespace softcot {

/// A half-open range of rows, columns or heads.
struct Slice {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

/// The dimensions that weights are made of.
enum class Dim { kOne, kVocabulary, kHidden, kQuery, kKeyValue, kFeedForward };

/// Which dimension of a weight is divided among the tp ranks.
enum class Cut { kNone, kRows, kColumns };

/// How one weight is shaped and cut; `name` has {} where the layer number stands.
struct WeightRule {
  const char* name;
  Dim rows;
  Dim columns;  ///< kOne for a vector.
  Cut cut;
};

/// The weights of a decoder: those once in a model, and those of each layer. Biases of q, k, v are
/// there when the config says so; the head is there unless it is tied.
std::vector<WeightRule> weight_rules(const ModelConfig& config);

/// The part of a model that one of `tp` ranks holds. Query heads are cut evenly, the feed-forward
/// and vocabulary dimensions as evenly as they go; a rank holds every KV head that its query heads
/// read, so KV heads are replicated when tp exceeds their number.
class ShardPlan {
 public:
  /// Throws kUsage, with the legal sizes listed, unless tp divides the query heads.
  ShardPlan(const ModelConfig& config, int tp_index, int tp_size);

  /// This rank's slice of a dimension, in elements (heads × D for kQuery and kKeyValue).
  Slice range(Dim dim) const;
  std::int64_t full(Dim dim) const;

  std::int64_t query_heads() const { return queries_.size(); }
  std::int64_t kv_heads() const { return kvs_.size(); }
  /// Local KV head that each local query head reads; size query_heads().
  const std::vector<std::int64_t>& kv_of_query() const { return kv_of_query_; }

 private:
  const ModelConfig& config_;
  Slice queries_;
  Slice kvs_;
  Slice feed_forward_;
  Slice vocabulary_;
  std::vector<std::int64_t> kv_of_query_;
};

/// Numbers in all weights of a model.
std::int64_t parameter_count(const ModelConfig& config);

/// The divisors of the number of query heads.
std::vector<int> legal_tp_sizes(const ModelConfig& config);

/// Part `index` of [0, size) cut into `parts` whose sizes differ by at most one, larger ones first.
Slice even_part(std::int64_t size, int index, int parts);

}  // namespace softcot
