#pragma once

#include <string>

#include "data/tokenizer.h"
#include "model/transformer.h"

namespace softcot {

/// What can be said of soft thoughts [N, H] in the words of a model's vocabulary.
struct ThoughtTable {
  NearestTokens nearest;           ///< Five tokens of each thought.
  std::vector<double> norm_ratio;  ///< Norm of each over the mean norm of an embedding.
};

/// Collective over the model's tp group.
ThoughtTable describe_thoughts(const Transformer& model, const at::Tensor& soft);

/// One line a thought, and a remark on what such lines are worth.
std::string format_thoughts(const ThoughtTable& table, const Tokenizer& tokenizer);

}  // namespace softcot
