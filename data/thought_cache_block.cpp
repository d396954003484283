#include "data/thought_cache_block.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <fstream>
#include <string_view>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace softcot {
namespace {

constexpr const char* kFormat = "softcot thought cache";
constexpr std::size_t kSealBytes = 512;
constexpr const char* kRedo = "delete this file and run `softcot precompute`: only it is redone";

std::string seal_start(std::uint64_t bytes) {
  return fmt::format("softcot sealed HDF5, version 1\nbytes {}\nxxh3_128 ", bytes);
}

[[noreturn]] void fail_damaged(const std::filesystem::path& path, const std::string& expected,
                               const std::string& got) {
  fail(ExitCode::kCache, {.what = "thought cache file is damaged",
                          .where = path.string(),
                          .expected = expected,
                          .got = got,
                          .fix = kRedo});
}

std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }

std::uint64_t size_of(Hdf5Type type) {
  return type == Hdf5Type::kUint64 ? 8 : type == Hdf5Type::kFloat32 ? 4 : 2;
}

Hdf5Type hdf5_type(ThoughtType type) {
  return type == ThoughtType::kFloat32 ? Hdf5Type::kFloat32 : Hdf5Type::kBfloat16;
}

template <typename T>
std::span<const T> as(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

std::string hash_data(std::span<const std::byte> thoughts, std::span<const std::uint64_t> row_ids) {
  Hasher hasher;
  hasher.add(thoughts);
  hasher.add(std::as_bytes(row_ids));
  return hasher.hex();
}

/// Published blocks never change, so they are read without locks: no file system can refuse them.
Hdf5File open_published(const std::filesystem::path& path) {
  return Hdf5File::open(path, ExitCode::kCache, Hdf5Locking::kOff);
}

template <typename T>
T attribute(const Hdf5File& file, const std::filesystem::path& path, const std::string& name) {
  const Hdf5Value value = file.attribute(name);
  if (!std::holds_alternative<T>(value)) fail_damaged(path, "attribute " + name, "another kind");
  return std::get<T>(value);
}

void require_number(const std::filesystem::path& path, const std::string& what,
                    std::int64_t expected, std::int64_t got) {
  if (expected == got) return;
  fail(ExitCode::kCache, {.what = "thought cache block has another " + what,
                          .where = path.string(),
                          .expected = std::to_string(expected),
                          .got = std::to_string(got),
                          .fix = kRedo});
}

/// Of this shape, type and chunks, and, since it is not compressed, no larger than its file: what a
/// caller allocates by the shape is bounded by what is there.
void require_dataset(const std::filesystem::path& path, const Hdf5Dataset& set, Hdf5Type type,
                     const Hdf5Shape& shape, const Hdf5Shape& chunk) {
  if (set.shape() != shape || set.chunk() != chunk || set.type() != type) {
    fail_damaged(path, fmt::format("shape [{}]", fmt::join(shape, ", ")),
                 fmt::format("[{}] in chunks [{}]", fmt::join(set.shape(), ", "),
                             fmt::join(set.chunk(), ", ")));
  }
  std::uintmax_t left = std::filesystem::file_size(path) / size_of(type);
  for (const std::uint64_t size : shape) left /= size;
  if (left == 0) {
    fail_damaged(path, "as many bytes as its datasets declare",
                 fmt::format("shape [{}] in a file of {} bytes", fmt::join(shape, ", "),
                             std::filesystem::file_size(path)));
  }
}

ThoughtCacheLayout layout_of(const Hdf5File& file, const std::filesystem::path& path) {
  if (!file.has_attribute("format") ||
      file.attribute("format") != Hdf5Value(std::string(kFormat))) {
    fail_damaged(path, kFormat, "another HDF5 file");
  }
  ThoughtCacheFields fields;
  for (const auto& [name, kind] : to_attributes({})) {
    if (!file.has_attribute(name)) continue;
    const Hdf5Value value = file.attribute(name);
    if (const auto* number = std::get_if<std::int64_t>(&value)) fields.emplace_back(name, *number);
    if (const auto* text = std::get_if<std::string>(&value)) fields.emplace_back(name, *text);
  }
  const ThoughtCacheLayout layout{key_from_attributes(fields, path.string()),
                                  attribute<std::int64_t>(file, path, "block_rows")};
  check_layout(layout, ExitCode::kCache, path.string());
  return layout;
}

}  // namespace

void check_layout(const ThoughtCacheLayout& layout, ExitCode code, const std::string& where) {
  const auto check = [&](const char* name, std::int64_t value, std::int64_t largest) {
    if (value >= 1 && value <= largest) return;
    fail(code, {.what = fmt::format("thought cache with {} out of range", name),
                .where = where,
                .expected = fmt::format("1 to {}", largest),
                .got = std::to_string(value)});
  };
  constexpr std::int64_t kMostRows = std::int64_t{1} << 32;
  check("assistant_layers", layout.key.assistant_layers, 1 << 16);
  check("thoughts", layout.key.thoughts, 1 << 16);
  check("width", layout.key.width, 1 << 20);
  check("rows", layout.key.rows, kMostRows);
  check("block_rows", layout.block_rows, kMostRows);
  check("blocks", layout.block_count(), 1'000'000);
}

std::string block_name(std::int64_t block) { return fmt::format("block-{:06}.h5", block); }

std::optional<std::int64_t> block_index(const std::string& name) {
  constexpr std::string_view kStart = "block-";
  std::int64_t block = 0;
  if (!name.starts_with(kStart)) return std::nullopt;
  std::from_chars(name.data() + kStart.size(), name.data() + name.size(), block);
  if (block < 0 || name != block_name(block)) return std::nullopt;
  return block;
}

void write_sealed(const std::filesystem::path& path, std::span<const std::byte> image) {
  std::string seal = seal_start(image.size()) + hash_bytes(image) + "\n";
  seal.resize(kSealBytes, '\0');
  AtomicFile file(path);
  file.write(seal);
  file.write(image);
  file.commit();
}

void check_seal(const std::filesystem::path& path, SealCheck depth) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) {
    fail(ExitCode::kCache, {.what = "thought cache file cannot be read",
                            .where = path.string(),
                            .got = error.message(),
                            .fix = "run `softcot precompute`"});
  }
  if (bytes < kSealBytes) fail_damaged(path, "512 bytes or more", fmt::format("{} bytes", bytes));
  std::ifstream in(path, std::ios::binary);
  std::string seal(kSealBytes, '\0');
  in.read(seal.data(), kSealBytes);
  const std::string start = seal_start(bytes - kSealBytes);
  if (!in || !seal.starts_with(start)) {
    fail_damaged(path, fmt::format("the seal of a file of {} bytes", bytes), "another");
  }
  if (depth == SealCheck::kSize) return;

  Hasher hasher;
  std::vector<char> part(1 << 20);
  while (in) {
    in.read(part.data(), static_cast<std::streamsize>(part.size()));
    hasher.add(std::string_view(part.data(), static_cast<std::size_t>(in.gcount())));
  }
  std::string expected = start + hasher.hex() + "\n";
  expected.resize(kSealBytes, '\0');
  if (in.bad() || seal != expected) {
    fail_damaged(path, "hash " + seal.substr(start.size(), 32), hasher.hex());
  }
}

void write_block_file(const std::filesystem::path& folder, const ThoughtCacheLayout& layout,
                      std::int64_t block, std::span<const std::byte> thoughts,
                      std::span<const std::uint64_t> row_ids) {
  const std::filesystem::path path = folder / block_name(block);
  const std::uint64_t rows = unsigned_of(layout.rows_in(block));
  const std::uint64_t n = unsigned_of(layout.key.thoughts);
  const std::uint64_t width = unsigned_of(layout.key.width);
  Hdf5File file = Hdf5File::create_in_memory(path.string());
  file.set_attribute("format", std::string(kFormat));
  for (const auto& [name, value] : to_attributes(layout.key)) {
    std::visit([&, field = name](const auto& v) { file.set_attribute(field, v); }, value);
  }
  file.set_attribute("block_rows", layout.block_rows);
  file.set_attribute("block", block);
  file.set_attribute("data_hash", hash_data(thoughts, row_ids));
  // A chunk is a row: training reads rows in random order.
  Hdf5Dataset set = file.create_dataset("thoughts", hdf5_type(layout.key.stored_type),
                                        {rows, n, width}, {.chunk = {1, n, width}});
  if (layout.key.stored_type == ThoughtType::kFloat32) {
    set.write(as<float>(thoughts));
  } else {
    set.write(as<std::uint16_t>(thoughts));
  }
  file.create_dataset("row_ids", Hdf5Type::kUint64, {rows}, {.chunk = {rows}}).write(row_ids);
  write_sealed(path, file.image());
}

ThoughtCacheLayout read_block_layout(const std::filesystem::path& path) {
  return layout_of(open_published(path), path);
}

ThoughtBlock::ThoughtBlock(Hdf5File file)
    : file_(std::move(file)),
      thoughts_(file_.dataset("thoughts")),
      row_ids_(file_.dataset("row_ids")) {}

ThoughtBlock ThoughtBlock::open(const std::filesystem::path& folder,
                                const ThoughtCacheLayout& layout, std::int64_t block) {
  const std::filesystem::path path = folder / block_name(block);
  Hdf5File file = open_published(path);
  const ThoughtCacheLayout found = layout_of(file, path);
  require_same_key(layout.key, found.key, path.string());
  require_number(path, "block size", layout.block_rows, found.block_rows);
  require_number(path, "number", block, attribute<std::int64_t>(file, path, "block"));
  const std::string data_hash = attribute<std::string>(file, path, "data_hash");

  ThoughtBlock opened(std::move(file));
  opened.data_hash_ = data_hash;
  const std::uint64_t rows = unsigned_of(layout.rows_in(block));
  const std::uint64_t n = unsigned_of(layout.key.thoughts);
  const std::uint64_t width = unsigned_of(layout.key.width);
  require_dataset(path, opened.thoughts_, hdf5_type(layout.key.stored_type), {rows, n, width},
                  {1, n, width});
  require_dataset(path, opened.row_ids_, Hdf5Type::kUint64, {rows}, {rows});
  return opened;
}

std::string ThoughtBlock::compute_data_hash() const {
  const Hdf5Shape& shape = thoughts_.shape();
  const auto add_rows = [&]<typename T>(Hasher& hasher, std::vector<T> row) {
    for (std::uint64_t r = 0; r < shape[0]; ++r) {
      thoughts_.read<T>({r, 0, 0}, {1, shape[1], shape[2]}, row);
      hasher.add(std::as_bytes(std::span<const T>(row)));
    }
  };
  Hasher hasher;
  if (thoughts_.type() == Hdf5Type::kFloat32) {
    add_rows(hasher, std::vector<float>(shape[1] * shape[2]));
  } else {
    add_rows(hasher, std::vector<std::uint16_t>(shape[1] * shape[2]));
  }
  std::vector<std::uint64_t> ids(shape[0]);
  row_ids_.read<std::uint64_t>({0}, {shape[0]}, ids);
  hasher.add(std::as_bytes(std::span<const std::uint64_t>(ids)));
  return hasher.hex();
}

std::uint64_t ThoughtBlock::row_id(std::int64_t row) const {
  std::uint64_t id = 0;
  row_ids_.read<std::uint64_t>({unsigned_of(row)}, {1}, std::span(&id, 1));
  return id;
}

}  // namespace softcot
