#include "runtime/hash.h"

#include <gtest/gtest.h>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "support/faults.h"
#include "support/fixtures.h"

namespace softcot {
namespace {

TEST(HashTest, GoldenValues) {
  // As the reference implementation gives them.
  EXPECT_EQ(hash_bytes(std::string_view("")), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_bytes(std::string_view("softcot")), "13c6b53c014cef6ae47dc02d96524c41");
}

TEST(HashTest, PiecesAndFilesGiveTheHashOfTheWhole) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += static_cast<char>(i * 31 % 251);
  Hasher hasher;
  for (std::size_t at = 0, step = 1; at < text.size(); at += step, step = step * 2 % 4099 + 1) {
    hasher.add(std::string_view(text).substr(at, step));
  }
  EXPECT_EQ(hasher.hex(), hash_bytes(text));
  const test::TemporaryFolder folder;
  write_file_atomically(folder.path() / "file", text);
  EXPECT_EQ(hash_file(folder.path() / "file"), hash_bytes(text));
  write_file_atomically(folder.path() / "empty", "");
  EXPECT_EQ(hash_file(folder.path() / "empty"), hash_bytes(std::string_view("")));
}

TEST(HashTest, NumbersAreLittleEndianBytes) {
  Hasher number;
  number.add(std::uint64_t{0x0102030405060708});
  EXPECT_EQ(number.hex(), hash_bytes(std::string_view("\x08\x07\x06\x05\x04\x03\x02\x01")));
}

TEST(HashTest, MissingFileIsAnInputError) {
  EXPECT_EQ(test::error_of([] { hash_file("/no/such/file"); }).code(), ExitCode::kInput);
}

}  // namespace
}  // namespace softcot
