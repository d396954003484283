#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace softcot {

/// XXH3-128 of what it is fed, in any cut into pieces. Finds damage; is no defence against forgery.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view bytes);
  /// Eight bytes, little-endian: put before a part of variable length, it keeps parts apart.
  void add(std::uint64_t number);

  /// Hash of all that was added so far, as 32 lower-case hex digits, most significant first.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Hash of all bytes at once, as Hasher::hex gives it.
std::string hash_bytes(std::span<const std::byte> bytes);
std::string hash_bytes(std::string_view bytes);

/// The first 64 bits of that hash: the key of a text among numbers.
std::uint64_t hash_number(std::string_view bytes);

/// Hash of a file's contents, read through a memory map: several GB/s once in the page cache.
/// Throws kInput when the file cannot be read.
std::string hash_file(const std::filesystem::path& path);

}  // namespace softcot
