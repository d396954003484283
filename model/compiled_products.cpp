#include "model/compiled_products.h"

#include <cstdlib>
#include <string>

namespace softcot {

bool processor_multiplies_bf16() {
#if defined(__x86_64__)
  static const bool native = __builtin_cpu_supports("avx512bf16") != 0;
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
