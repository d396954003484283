#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace softcot {

/// Element types as safetensors names them, in its order of alignment. We compute with few of them;
/// the others are known so that files which hold them can be opened.
enum class DType : std::uint8_t {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};

/// "F32", "BF16", …
std::string_view dtype_name(DType dtype);
/// Bits of one element; not always whole bytes.
unsigned dtype_bits(DType dtype);
/// Whether `name` is a type; sets `dtype` if so.
bool dtype_of_name(std::string_view name, DType& dtype);

/// A tensor somewhere else: rows last to first contiguous, little-endian. Valid as long as its
/// owner.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<std::uint64_t> shape;  ///< Empty for a scalar.
  std::span<const std::byte> bytes;
};

/// A tensor in memory of its own.
struct HostTensor {
  DType dtype = DType::kF32;
  std::vector<std::uint64_t> shape;
  std::vector<std::byte> bytes;

  TensorView view() const { return {dtype, shape, bytes}; }
  static HostTensor copy_of(const TensorView& view);
  /// Tensor of these values; `shape` must hold as many.
  static HostTensor of_floats(std::vector<std::uint64_t> shape, std::span<const float> values);
  bool operator==(const HostTensor&) const = default;
};

/// Bytes that dtype and shape ask for. Returns false, with `bytes` untouched, when that overflows
/// 64 bits or is no whole number of bytes. Dimensions are multiplied from the left, so a zero after
/// an overflow does not help (as in the reference library).
bool tensor_bytes(DType dtype, std::span<const std::uint64_t> shape, std::uint64_t& bytes);

}  // namespace softcot
