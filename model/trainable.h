#pragma once

#include <c10/core/ScalarType.h>

#include "model/model_config.h"

namespace softcot {

/// Throws kUsage unless all weights of such a model, loaded as `dtype` by `tp` ranks, can be
/// trained: they must be float32, and no two ranks may share a KV head.
void require_trainable(const ModelConfig& config, at::ScalarType dtype, int tp);

}  // namespace softcot
