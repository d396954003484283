#pragma once

#include <cstdint>

namespace softcot {

/// Whether this processor multiplies bfloat16 itself, and ONEDNN_MAX_CPU_ISA lets the library do
/// so. It then compiles a product for each shape that it meets, and keeps it. Local.
bool processor_multiplies_bf16();

/// Compiled products that the library may keep, and the memory of each, measured with oneDNN 3.10.
/// Sixteen are more than a model's layers need for rows of one length.
constexpr int kKeptProducts = 16;
constexpr std::int64_t kCompiledProductBytes = 1'100'000;

/// Makes the library keep kKeptProducts, not a thousand: a training whose rows differ in length
/// would grow by hundreds of megabytes, and to compile one anew takes a fifth of a millisecond. To
/// be called before the first product and before there are threads. A bound in the environment
/// (LRU_CACHE_CAPACITY, ONEDNN_PRIMITIVE_CACHE_CAPACITY) goes first.
void bound_kept_products();

}  // namespace softcot
