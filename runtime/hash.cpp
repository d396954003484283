#include "runtime/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <new>

#include "runtime/mapped_file.h"

namespace softcot {
namespace {

std::string hex_of(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

struct Hasher::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::add(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

void Hasher::add(std::string_view bytes) { add(std::as_bytes(std::span(bytes))); }

void Hasher::add(std::uint64_t number) {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(number >> (8 * i) & 0xff);
  }
  add(bytes);
}

std::string Hasher::hex() const { return hex_of(XXH3_128bits_digest(state_->xxh)); }

std::string hash_bytes(std::span<const std::byte> bytes) {
  return hex_of(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hash_bytes(std::string_view bytes) {
  return hash_bytes(std::as_bytes(std::span(bytes)));
}

std::uint64_t hash_number(std::string_view bytes) {
  return XXH3_128bits(bytes.data(), bytes.size()).high64;
}

std::string hash_file(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path);
  file.read_in_order();
  return hash_bytes(file.bytes());
}

}  // namespace softcot
