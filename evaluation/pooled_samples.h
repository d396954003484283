#pragma once

#include <vector>

#include "evaluation/result_table.h"

namespace softcot {

/// Adds the samples of one more training seed behind those that are there. A question's first
/// sample has the answer NLL under all seeds, and their tokens: its ratio is their mean.
void pool_samples(MethodSamples& all, std::vector<Sample> more);

}  // namespace softcot
