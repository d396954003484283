#include "launch/inspect/folder_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "data/cache_lock.h"
#include "data/thought_cache_manifest.h"
#include "data/thought_cache_verify.h"
#include "evaluation/sample_log.h"
#include "launch/inspect/run_health.h"
#include "launch/run/file_lock.h"
#include "launch/run/run_folder.h"
#include "launch/sweep/work.h"
#include "runtime/atomic_file.h"
#include "runtime/counted.h"
#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

constexpr const char* kWrittenKeyName = "key.json";  // As written_thoughts.h, which takes LibTorch.
/// As deep as caches lie in the folder of the work that makes them.
constexpr int kLevelsOfWork = 3;

std::string text_of(const ThoughtCacheField& field) {
  if (const auto* number = std::get_if<std::int64_t>(&field)) return std::to_string(*number);
  return std::get<std::string>(field);
}

void add_layout(FolderReport& report, const ThoughtCacheLayout& layout) {
  for (const auto& [name, field] : to_attributes(layout.key)) report.add(name, text_of(field));
  report.add("blocks",
             fmt::format("{} of {}", layout.block_count(), counted(layout.block_rows, "row")));
}

bool looks_like_cache(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / kManifestName)) return true;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(folder, unreadable)) {
    if (block_index(entry.path().filename().string())) return true;
  }
  return false;
}

/// That of the work of a compare or sweep which this folder is or lies in, as its cache.
std::optional<std::filesystem::path> work_folder_of(const std::filesystem::path& folder) {
  auto place = std::filesystem::absolute(folder);
  for (int level = 0; level < kLevelsOfWork; ++level, place = place.parent_path()) {
    if (std::filesystem::exists(place / kWorkConfig)) return place;
  }
  return std::nullopt;
}

bool may_write(const std::filesystem::path& folder) {
  return access(folder.c_str(), W_OK) == 0;  // Also false on a file system that is read-only.
}

/// --repair where nothing can be changed: fine as long as nothing needs to be.
FolderReport report_read_only(const FolderKind& kind, const std::filesystem::path& folder,
                              InspectDepth depth) {
  depth.repair = false;
  try {
    FolderReport report = kind.report(folder, depth);
    report.add("repair", "nothing needs repair");
    return report;
  } catch (const Error& error) {
    Problem problem = error.problem();
    problem.fix =
        "it may not be written here: repair it as its owner, or where it is not read-only";
    fail(error.code(), problem);
  }
}

FolderReport repair(const FolderKind& kind, const std::filesystem::path& folder,
                    InspectDepth depth) {
  FolderReport report = kind.report(folder, depth);
  if (report.removed().empty()) report.add("repair", "nothing needed repair");
  return report;
}

std::string shape_text(const HostTensor& tensor) {
  std::string text;
  for (const std::uint64_t size : tensor.shape) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", size);
  }
  return fmt::format("{} [{}]", dtype_name(tensor.dtype), text);
}

std::string list_steps(const std::filesystem::path& folder) {
  std::string steps;
  for (const CheckpointEntry& entry : list_checkpoints(folder)) {
    steps += fmt::format("{}{}{}", steps.empty() ? "" : ", ", entry.step,
                         entry.complete ? "" : " (unfinished)");
  }
  return steps.empty() ? "none" : steps;
}

}  // namespace

std::string short_number(double value) {
  if (value >= 1e9) return fmt::format("{:.2f} G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f} M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.1f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

void FolderReport::add(const std::string& name, const std::string& value) {
  facts.emplace_back(name, value);
}

std::vector<std::string> FolderReport::removed() const {
  std::vector<std::string> values;
  for (const auto& [name, value] : facts) {
    if (name == kRemoved) values.push_back(value);
  }
  return values;
}

FolderReport report_cache(const std::filesystem::path& folder, InspectDepth depth) {
  FolderReport report{.kind = "cache", .facts = {}};
  if (!depth.verify) {
    const std::optional<ThoughtCacheManifest> manifest = read_manifest(folder);
    if (!manifest) {
      fail(ExitCode::kCache, {.what = "thought cache is not finished",
                              .where = folder.string(),
                              .fix = "run softcot precompute again: it makes what is missing"});
    }
    add_layout(report, manifest->layout);
    return report;
  }
  if (depth.repair) {
    const CacheLock lock(folder);
    const CacheHealth before = verify_thought_cache(folder);
    repair_thought_cache(lock, before);
    for (const CacheDamage& each : before.damaged) report.add(kRemoved, each.file);
  }
  const CacheHealth health = verify_thought_cache(folder);
  if (health.sound()) {
    add_layout(report, *health.layout);
    report.add("verified", fmt::format("{}, every byte", counted(health.sound_blocks, "block")));
    return report;
  }
  if (depth.repair) {
    report.add("blocks", fmt::format("{} sound", health.sound_blocks));
    report.add("next",
               "softcot precompute with the options of before: it makes only what is missing");
    return report;
  }
  std::string damage = health.finished ? "" : "no sound manifest";
  for (const CacheDamage& each : health.damaged) {
    damage += fmt::format("{}{}: {}", damage.empty() ? "" : "; ", each.file, each.reason);
  }
  if (!health.missing_blocks.empty()) {
    damage += fmt::format("{}{} missing, first {}", damage.empty() ? "" : "; ",
                          counted(health.missing_blocks.size(), "block"),
                          block_name(health.missing_blocks.front()));
  }
  fail(ExitCode::kCache,
       {.what = "thought cache is damaged",
        .where = folder.string(),
        .got = damage,
        .fix = "softcot inspect --repair removes what is damaged; softcot precompute then "
               "makes only what is missing"});
}

FolderReport report_checkpoint(const std::filesystem::path& folder, InspectDepth depth) {
  FolderReport report{.kind = "checkpoint", .facts = {}};
  const nlohmann::json state = read_json_file(folder / kStateJson, {.code = ExitCode::kCheckpoint});
  const std::string where = (folder / kStateJson).string();
  for (const char* name : {"step", "epoch", "samples_seen"}) {
    report.add(name,
               std::to_string(require<std::uint64_t>(state, name, where, ExitCode::kCheckpoint)));
  }
  if (!depth.verify) {
    const bool done = std::filesystem::exists(folder / kDoneMark);
    report.add("finished", done ? "yes" : "no");
    return report;
  }
  const LoadedCheckpoint loaded = read_checkpoint(folder);
  for (const auto& [name, tensor] : loaded.state.tensors) report.add(name, shape_text(tensor));
  report.add("verified", "every byte");
  return report;
}

FolderReport report_run(const std::filesystem::path& folder, InspectDepth depth) {
  FolderReport report{.kind = "run", .facts = {}};
  const RunPaths paths{folder};
  const bool trained = std::filesystem::exists(paths.config());
  report.add("configuration", (trained ? paths.config() : folder / "evaluate.cfg").string());
  report.add("checkpoints", list_steps(paths.checkpoints()));
  report.add("results",
             std::filesystem::exists(paths.results()) ? paths.results().string() : "none");
  if (depth.repair) {
    for (const std::string& removed : repair_run(folder)) report.add(kRemoved, removed);
  }
  if (!depth.verify) return report;
  const RunHealth health = verify_run(folder);
  if (health.sound()) {
    report.add("verified", fmt::format("{}, {} of metrics and samples, every byte",
                                       counted(health.checkpoints, "checkpoint"),
                                       counted(health.lines, "line")));
    return report;
  }
  std::string damage;
  for (const FileDamage& each : health.damaged) {
    damage += fmt::format("{}{}: {}", damage.empty() ? "" : "; ", each.file.string(), each.reason);
  }
  fail(health.damaged.front().code,
       {.what = "run folder is damaged",
        .where = folder.string(),
        .got = damage,
        .fix = "softcot inspect --repair removes that; train --resume and evaluate make it again"});
}

FolderReport report_written(const std::filesystem::path& folder, InspectDepth depth) {
  FolderReport report{.kind = "written thoughts", .facts = {}};
  const auto file = folder / kWrittenKeyName;
  const JsonLimits limits{.code = ExitCode::kCache};
  const std::string text = read_file(file, limits.max_bytes);
  parse_json(text, file.string(), limits);
  // In the order of the file, which the hash is over.
  const auto key = nlohmann::ordered_json::parse(text);
  const std::string hash = hash_bytes(key.dump());
  if (!key.is_object() || !std::filesystem::weakly_canonical(folder).filename().string().ends_with(
                              hash.substr(0, 12))) {
    fail(ExitCode::kCache, {.what = "key of written thoughts is damaged",
                            .where = file.string(),
                            .fix = "remove the folder and run softcot precompute again"});
  }
  for (const auto& [name, value] : key.items()) {
    report.add(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (depth.repair) {
    const CacheLock lock(folder);
    for (const std::string& removed : repair_lines(folder / "texts.jsonl", FirstLine::kHead)) {
      report.add(kRemoved, removed);
    }
  }
  if (depth.verify) {
    const auto texts = read_samples(folder / "texts.jsonl").size();
    report.add("verified", fmt::format("{} texts, every line", texts));
  }
  return report;
}

std::optional<FolderKind> kind_of(const std::filesystem::path& folder) {
  const auto holds = [&folder](std::string_view name) {
    std::error_code unreadable;
    return std::filesystem::exists(folder / name, unreadable);
  };
  if (holds(kStateJson) || step_of_name(folder.filename().string())) {
    return FolderKind{"checkpoints", report_checkpoint};
  }
  if (holds("config.json")) return FolderKind{"models", report_model};
  if (looks_like_cache(folder)) return FolderKind{"caches", report_cache};
  if (holds(kWrittenKeyName)) return FolderKind{"written thoughts", report_written};
  if (holds("config.cfg") || holds("evaluate.cfg")) return FolderKind{"runs", report_run};
  return std::nullopt;
}

FolderReport report_as(const FolderKind& kind, const std::filesystem::path& folder,
                       InspectDepth depth) {
  if (!depth.repair) return kind.report(folder, depth);
  if (!may_write(folder)) return report_read_only(kind, folder, depth);
  const auto work = work_folder_of(folder);
  if (!work) return repair(kind, folder, depth);
  const auto lock = FileLock::take_or_refuse(
      *work / kWorkLock,
      {.what = "folder is in use", .where = work->string(), .fix = "wait for that job"});
  FolderReport report = repair(kind, folder, depth);
  if (!report.removed().empty()) remove_marks(*work);
  return report;
}

FolderReport report_folder(const std::filesystem::path& folder, InspectDepth depth) {
  if (!std::filesystem::is_directory(folder)) {
    const bool there = std::filesystem::exists(folder);
    fail(ExitCode::kUsage,
         {.what = there ? "not a folder" : "no such folder", .where = folder.string()});
  }
  if (const auto kind = kind_of(folder)) return report_as(*kind, folder, depth);
  return report_collection(folder, depth);
}

}  // namespace softcot
