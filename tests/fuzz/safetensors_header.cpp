// The bytes of a safetensors file, as an untrusted model folder brings them.
#include "runtime/safetensors_header.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace softcot;
  fuzz::accepts([&] {
    const auto file = std::as_bytes(std::span(data, size));
    const SafetensorsHeader header = parse_safetensors_header(file, "input");
    std::uint64_t covered = 0;
    for (const SafetensorsEntry& entry : header.entries) {
      std::uint64_t bytes = 0;
      fuzz::require(tensor_bytes(entry.dtype, entry.shape, bytes), "a shape has a size");
      fuzz::require(entry.begin == covered && entry.end - entry.begin == bytes,
                    "tensors cover the data without gap or overlap");
      covered = entry.end;
    }
    fuzz::require(header.data_start + covered == size, "the last tensor ends with the file");
  });
  return 0;
}
