#include "runtime/host_tensor.h"

#include <array>
#include <cstring>

#include "runtime/error.h"

namespace softcot {
namespace {

struct Description {
  std::string_view name;
  unsigned bits;
};

// In the order of the enumeration.
constexpr std::array<Description, 22> kTypes{{
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
}};
static_assert(kTypes[static_cast<std::size_t>(DType::kU64)].name == "U64");

}  // namespace

std::string_view dtype_name(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)].name; }

unsigned dtype_bits(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)].bits; }

bool dtype_of_name(std::string_view name, DType& dtype) {
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i].name != name) continue;
    dtype = static_cast<DType>(i);
    return true;
  }
  return false;
}

HostTensor HostTensor::copy_of(const TensorView& view) {
  return {view.dtype, view.shape, {view.bytes.begin(), view.bytes.end()}};
}

HostTensor HostTensor::of_floats(std::vector<std::uint64_t> shape, std::span<const float> values) {
  HostTensor tensor{DType::kF32, std::move(shape), std::vector<std::byte>(values.size_bytes())};
  std::uint64_t expected = 0;
  if (!tensor_bytes(DType::kF32, tensor.shape, expected) || expected != values.size_bytes()) {
    fail(ExitCode::kInternal, {.what = "a tensor's shape does not hold its values"});
  }
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

bool tensor_bytes(DType dtype, std::span<const std::uint64_t> shape, std::uint64_t& bytes) {
  std::uint64_t bits = 1;
  for (const std::uint64_t size : shape) {
    if (__builtin_mul_overflow(bits, size, &bits)) return false;
  }
  if (__builtin_mul_overflow(bits, std::uint64_t{dtype_bits(dtype)}, &bits)) return false;
  if (bits % 8 != 0) return false;
  bytes = bits / 8;
  return true;
}

}  // namespace softcot
