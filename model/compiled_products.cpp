#include "model/compiled_products.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace softcot {
namespace {

/// Whether the environment keeps oneDNN from the instructions.
bool library_may_not() {
  constexpr std::array<std::string_view, 7> kOlder = {
      "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"};
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  return limit != nullptr && std::find(kOlder.begin(), kOlder.end(), limit) != kOlder.end();
}

}  // namespace

bool processor_multiplies_bf16() {
#if defined(__x86_64__)
  static const bool native = __builtin_cpu_supports("avx512bf16") != 0 && !library_may_not();
  return native;
#else
  return false;
#endif
}

void bound_kept_products() {
  const std::string count = std::to_string(kKeptProducts);
  // LibTorch's cache of descriptions, one a thread, and oneDNN's of compiled products.
  for (const char* cache : {"LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"}) {
    ::setenv(cache, count.c_str(), 0);
  }
}

}  // namespace softcot
