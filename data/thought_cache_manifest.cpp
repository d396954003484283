#include "data/thought_cache_manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLargestManifest = 1ULL << 28;
constexpr const char* kFix = "delete this file and run `softcot precompute`: sound blocks are kept";

std::string text_of(const ThoughtCacheManifest& manifest) {
  Json key;
  for (const auto& [name, value] : to_attributes(manifest.layout.key)) {
    std::visit([&, field = name](const auto& v) { key[field] = v; }, value);
  }
  Json blocks = Json::array();
  for (std::size_t i = 0; i < manifest.data_hashes.size(); ++i) {
    const auto block = static_cast<std::int64_t>(i);
    blocks.push_back({{"file", block_name(block)},
                      {"rows", manifest.layout.rows_in(block)},
                      {"data_hash", manifest.data_hashes[i]}});
  }
  const Json whole = {{"format", "softcot thought cache manifest"},
                      {"key", key},
                      {"block_rows", manifest.layout.block_rows},
                      {"index", kIndexName},
                      {"blocks", blocks}};
  return seal_json(whole.dump(2)) + "\n";
}

[[noreturn]] void fail_manifest(const std::filesystem::path& path, const std::string& got) {
  fail(ExitCode::kCache, {.what = "thought cache manifest is damaged",
                          .where = path.string(),
                          .got = got,
                          .fix = kFix});
}

std::string read_text(const std::filesystem::path& path) {
  try {
    return read_file(path, kLargestManifest);
  } catch (const Error& error) {
    fail_manifest(path, error.problem().got);
  }
}

bool hash_fits(const std::string& text) {
  return text.ends_with("\n") && json_seal(text) == JsonSeal::kFits;
}

ThoughtCacheManifest parse(const std::string& text, const std::filesystem::path& path) {
  const nlohmann::json whole =
      parse_json(text, path.string(), {.max_bytes = kLargestManifest, .code = ExitCode::kCache});
  ThoughtCacheFields fields;
  for (const auto& [name, value] : whole.at("key").items()) {
    if (value.is_number_integer()) fields.emplace_back(name, value.get<std::int64_t>());
    if (value.is_string()) fields.emplace_back(name, value.get<std::string>());
  }
  ThoughtCacheManifest manifest;
  manifest.layout.key = key_from_attributes(fields, path.string());
  manifest.layout.block_rows = whole.at("block_rows").get<std::int64_t>();
  for (const nlohmann::json& block : whole.at("blocks")) {
    manifest.data_hashes.push_back(block.at("data_hash").get<std::string>());
  }
  const ThoughtCacheLayout& layout = manifest.layout;
  check_layout(layout, ExitCode::kCache, path.string());
  if (layout.block_count() != static_cast<std::int64_t>(manifest.data_hashes.size())) {
    fail_manifest(path, "a number of blocks that does not fit the rows");
  }
  return manifest;
}

}  // namespace

std::optional<ThoughtCacheManifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kManifestName;
  if (!std::filesystem::exists(path)) return std::nullopt;
  const std::string text = read_text(path);
  // The hash is tested on the text, before anything parses it.
  if (!hash_fits(text)) fail_manifest(path, "a content that its hash does not fit");
  try {
    return parse(text, path);
  } catch (const nlohmann::json::exception& error) {
    fail_manifest(path, error.what());
  }
}

bool manifest_is_intact(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kManifestName;
  return std::filesystem::is_regular_file(path) && hash_fits(read_text(path));
}

void write_manifest(const std::filesystem::path& folder, const ThoughtCacheManifest& manifest) {
  write_file_atomically(folder / kManifestName, text_of(manifest));
}

void write_index(const std::filesystem::path& folder, const ThoughtCacheLayout& layout) {
  const std::filesystem::path path = folder / kIndexName;
  const auto number = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  std::vector<Hdf5VirtualPart> thoughts;
  std::vector<Hdf5VirtualPart> ids;
  for (std::int64_t block = 0; block < layout.block_count(); ++block) {
    const std::uint64_t first = number(layout.first_row(block));
    const std::uint64_t rows = number(layout.rows_in(block));
    thoughts.push_back({block_name(block), "thoughts", first, rows});
    ids.push_back({block_name(block), "row_ids", first, rows});
  }
  const std::uint64_t rows = number(layout.key.rows);
  Hdf5File file = Hdf5File::create_in_memory(path.string());
  for (const auto& [name, value] : to_attributes(layout.key)) {
    std::visit([&, field = name](const auto& v) { file.set_attribute(field, v); }, value);
  }
  const Hdf5Type type =
      layout.key.stored_type == ThoughtType::kFloat32 ? Hdf5Type::kFloat32 : Hdf5Type::kBfloat16;
  file.create_virtual_dataset(
      "thoughts", type, {rows, number(layout.key.thoughts), number(layout.key.width)}, thoughts);
  file.create_virtual_dataset("row_ids", Hdf5Type::kUint64, {rows}, ids);
  write_sealed(path, file.image());
}

void remove_manifest(const std::filesystem::path& folder) {
  remove_file(folder / kManifestName);
  fsync_folder(folder);
}

void remove_file(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) fail_write(error.value(), path);
}

}  // namespace softcot
