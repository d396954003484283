#include "model/cpu_instruction_set.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "model/compiled_products.h"
#include "model/cpu_row_kernels.h"

namespace softcot::cpu {

namespace portable {
extern const RowKernels kRowKernels;
}
#if defined(SOFTCOT_X86_KERNELS)
namespace avx2 {
extern const RowKernels kRowKernels;
}
namespace avx512 {
extern const RowKernels kRowKernels;
}
namespace avx512bf16 {
extern const RowKernels kRowKernels;
}
#endif

namespace {

/// Nothing where the processor, or the compiler's, has not this set.
const RowKernels* kernels_for(InstructionSet set) {
  if (set == InstructionSet::kPortable) return &portable::kRowKernels;
#if defined(SOFTCOT_X86_KERNELS)
  const bool v3 = __builtin_cpu_supports("x86-64-v3"), v4 = __builtin_cpu_supports("x86-64-v4");
  const bool bf16 = v4 && __builtin_cpu_supports("avx512bf16");
  if (set == InstructionSet::kAvx512Bf16) return bf16 ? &avx512bf16::kRowKernels : nullptr;
  if (set == InstructionSet::kAvx512) return v4 ? &avx512::kRowKernels : nullptr;
  if (set == InstructionSet::kAvx2) return v3 ? &avx2::kRowKernels : nullptr;
  const char* variable = std::getenv("ATEN_CPU_CAPABILITY");
  const std::string_view limit = variable == nullptr ? "" : variable;
  if (!v3 || limit == "default") return &portable::kRowKernels;
  if (!v4 || limit == "avx2") return &avx2::kRowKernels;
  return bf16 && processor_multiplies_bf16() ? &avx512bf16::kRowKernels : &avx512::kRowKernels;
#else
  return set == InstructionSet::kBest ? &portable::kRowKernels : nullptr;
#endif
}

std::atomic<const RowKernels*> chosen_kernels{nullptr};

}  // namespace

bool use_instruction_set(InstructionSet set) {
  const RowKernels* kernels = kernels_for(set);
  if (kernels != nullptr) chosen_kernels = kernels;
  return kernels != nullptr;
}

const RowKernels& row_kernels() {
  const RowKernels* kernels = chosen_kernels.load(std::memory_order_relaxed);
  if (kernels == nullptr) {
    use_instruction_set(InstructionSet::kBest);
    kernels = chosen_kernels.load(std::memory_order_relaxed);
  }
  return *kernels;
}

bool multiplies_bf16() { return row_kernels().product_of_bf16 != nullptr; }

}  // namespace softcot::cpu
