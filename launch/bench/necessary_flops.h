#pragma once

#include <cstdint>
#include <vector>

#include "data/row.h"
#include "model/model_config.h"

/// Floating-point operations that no exact way of doing the work can leave out, those of matrix
/// products and attention; a multiply-add counts as two. docs/performance.md writes them down. A
/// prefix of `shared` tokens that all rows begin with is computed before and not counted.
namespace softcot {

/// One SoftCoT training step over these rows: what comes before the thoughts forward only, the rest
/// forward and backward to the inputs, logits and their gradient at the targets.
double necessary_train_flops(const ModelConfig& model, std::int64_t shared,
                             const std::vector<Row>& rows);

/// The assistant's states at the placeholders of these rows.
double necessary_precompute_flops(const ModelConfig& model, std::int64_t shared,
                                  const std::vector<Row>& rows);

}  // namespace softcot
