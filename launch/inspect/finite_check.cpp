#include "launch/inspect/finite_check.h"

#include <cstring>

namespace softcot {
namespace {

/// In every IEEE format a value is NaN or infinite when all exponent bits are set.
template <typename Bits>
std::uint64_t count_full_exponents(std::span<const std::byte> bytes, Bits exponent) {
  std::uint64_t count = 0;
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    Bits bits{};
    std::memcpy(&bits, bytes.data() + at, sizeof(Bits));
    count += (bits & exponent) == exponent ? 1 : 0;
  }
  return count;
}

}  // namespace

std::uint64_t count_not_finite(const TensorView& tensor) {
  switch (tensor.dtype) {
    case DType::kF64:
      return count_full_exponents<std::uint64_t>(tensor.bytes, 0x7FF0'0000'0000'0000U);
    case DType::kF32:
      return count_full_exponents<std::uint32_t>(tensor.bytes, 0x7F80'0000U);
    case DType::kF16:
      return count_full_exponents<std::uint16_t>(tensor.bytes, 0x7C00U);
    case DType::kBF16:
      return count_full_exponents<std::uint16_t>(tensor.bytes, 0x7F80U);
    default:
      return 0;
  }
}

}  // namespace softcot
