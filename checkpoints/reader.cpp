#include "checkpoints/reader.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "checkpoints/layout.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/safetensors.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxJsonBytes = 64u << 20;
constexpr std::uint64_t kMaxDoneBytes = 1024;
constexpr const char* kUseAnother =
    "use another checkpoint; softcot inspect RUN --repair removes what is damaged";

[[noreturn]] void refuse(const fs::path& where, std::string what, std::string expected = {},
                         std::string got = {}) {
  fail(ExitCode::kCheckpoint, {.what = std::move(what),
                               .where = where.string(),
                               .expected = std::move(expected),
                               .got = std::move(got),
                               .fix = kUseAnother});
}

/// Files inside a checkpoint that cannot be read are a fault of the checkpoint.
template <typename Work>
auto within_checkpoint(const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInput) throw;
    Problem problem = error.problem();
    problem.what = "checkpoint is damaged: " + problem.what;
    fail(ExitCode::kCheckpoint, std::move(problem));
  }
}

/// state.json, after its bytes were found to be those that DONE speaks of.
nlohmann::json read_state_json(const fs::path& path) {
  const std::string text = read_file(path / kStateJson, kMaxJsonBytes);
  const std::string done = read_file(path / kDoneMark, kMaxDoneBytes);
  const std::string hash = hash_bytes(text);
  if (done != hash + "\n") {
    refuse(path / kStateJson, "checkpoint is damaged: contents do not match DONE", done, hash);
  }
  return parse_json(text, (path / kStateJson).string(), {.code = ExitCode::kCheckpoint});
}

void check_format(const nlohmann::json& json, const std::string& where) {
  const auto schema = require<std::string>(json, "schema", where, ExitCode::kCheckpoint);
  if (schema != kCheckpointSchema) {
    refuse(where, "not a checkpoint of softcot", std::string(kCheckpointSchema), schema);
  }
  const auto version = require<std::uint64_t>(json, "version", where, ExitCode::kCheckpoint);
  if (version != kCheckpointVersion) {
    fail(ExitCode::kCheckpoint, {.what = "checkpoint has another format version",
                                 .where = where,
                                 .expected = fmt::format("{}", kCheckpointVersion),
                                 .got = fmt::format("{}", version),
                                 .fix = "use the softcot that wrote it"});
  }
}

std::map<std::string, HostTensor> read_tensors(const fs::path& path, const nlohmann::json& json,
                                               const std::string& where) {
  const auto files = require<nlohmann::json>(json, "files", where, ExitCode::kCheckpoint);
  const auto said = require<nlohmann::json>(files, kStateTensors, where, ExitCode::kCheckpoint);
  const auto bytes = require<std::uint64_t>(said, "bytes", where, ExitCode::kCheckpoint);
  const auto hash = require<std::string>(said, "xxh3", where, ExitCode::kCheckpoint);
  // Size and hash come before the header: what is damaged is not taken apart.
  const MappedFile contents = MappedFile::open(path / kStateTensors);
  if (contents.bytes().size() != bytes) {
    refuse(path / kStateTensors, "checkpoint is damaged: size", fmt::format("{} bytes", bytes),
           fmt::format("{}", contents.bytes().size()));
  }
  if (const std::string got = hash_bytes(contents.bytes()); got != hash) {
    refuse(path / kStateTensors, "checkpoint is damaged: contents do not match their hash", hash,
           got);
  }
  const SafetensorsFile file = SafetensorsFile::open(path / kStateTensors);
  std::map<std::string, HostTensor> tensors;
  for (const std::string& name : file.names()) {
    tensors.emplace(name, HostTensor::copy_of(file.tensor(name)));
  }
  return tensors;
}

LoadedCheckpoint read_whole(const fs::path& path) {
  const nlohmann::json json = read_state_json(path);
  const std::string where = (path / kStateJson).string();
  check_format(json, where);
  const auto number = [&](const char* key) {
    return require<std::uint64_t>(json, key, where, ExitCode::kCheckpoint);
  };
  LoadedCheckpoint loaded{path, {}};
  loaded.state.step = number("step");
  loaded.state.epoch = number("epoch");
  loaded.state.samples_seen = number("samples_seen");
  loaded.state.metadata = require<nlohmann::json>(json, "metadata", where, ExitCode::kCheckpoint);
  const auto named = step_of_name(path.filename().string());
  if (named && *named != loaded.state.step) {
    refuse(path, "checkpoint lies under the name of another step",
           checkpoint_name(loaded.state.step));
  }
  loaded.state.tensors = read_tensors(path, json, where);
  return loaded;
}

}  // namespace

LoadedCheckpoint read_checkpoint(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    fail(ExitCode::kCheckpoint, {.what = "no such checkpoint", .where = path.string()});
  }
  if (!fs::is_regular_file(path / kDoneMark, error)) {
    refuse(path, "checkpoint is not complete: it has no DONE mark");
  }
  return within_checkpoint(
      [&] { return read_whole(path.has_filename() ? path : path.parent_path()); });
}

LoadedCheckpoint read_checkpoint_of_step(const fs::path& folder, std::uint64_t step) {
  const std::vector<CheckpointEntry> entries = list_checkpoints(folder);
  std::string there;
  for (const CheckpointEntry& entry : entries) {
    if (entry.step == step) return read_checkpoint(entry.path);
    there += (there.empty() ? "" : ", ") + std::to_string(entry.step);
  }
  fail(ExitCode::kCheckpoint, {.what = "there is no checkpoint of this step",
                               .where = folder.string(),
                               .expected = there.empty() ? "" : "one of " + there,
                               .got = std::to_string(step)});
}

LoadedCheckpoint read_latest_checkpoint(const fs::path& folder) {
  std::vector<CheckpointEntry> entries = list_checkpoints(folder);
  const std::size_t count = entries.size();
  // Not std::views: clang 14, which builds the fuzz targets, cannot compile GCC's.
  for (; !entries.empty(); entries.pop_back()) {
    const CheckpointEntry& newest = entries.back();
    try {
      return read_checkpoint(newest.path);
    } catch (const Error& error) {
      if (error.code() != ExitCode::kCheckpoint) throw;
      log_warning("checkpoint of step {} is passed over: {}", newest.step, error.what());
    }
  }
  fail(ExitCode::kCheckpoint,
       {.what = count == 0 ? "there is no checkpoint" : "no checkpoint is usable",
        .where = folder.string(),
        .got = count == 0 ? "" : fmt::format("{} that are not whole", count),
        .fix = count == 0 ? "is this the right run folder? softcot train makes checkpoints in it"
                          : "train anew in another run folder"});
}

}  // namespace softcot
