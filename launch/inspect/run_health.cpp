#include "launch/inspect/run_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoints/layout.h"
#include "checkpoints/reader.h"
#include "checkpoints/retention.h"
#include "launch/run/file_lock.h"
#include "launch/run/run_folder.h"
#include "runtime/atomic_file.h"
#include "runtime/hidden_name.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 32;

struct LinesHealth {
  std::size_t lines = 0;
  std::vector<std::string> damaged;  // "line 3: an error at line 1 column 17"
  bool first_damaged = false;
  std::string sound;  // All lines but those.
};

LinesHealth look_at_lines(const fs::path& file) {
  LinesHealth health;
  std::istringstream text(read_file(file, kLargestFile));
  for (std::string line; std::getline(text, line);) {
    const std::string where = fmt::format("line {}", ++health.lines);
    try {
      if (text.eof()) fail(ExitCode::kInput, {.what = "torn", .got = "a line without its end"});
      parse_json(line, where);
      health.sound += line + "\n";
    } catch (const Error& error) {
      health.damaged.push_back(where + ": " + error.problem().got);
      health.first_damaged = health.first_damaged || health.lines == 1;
    }
  }
  return health;
}

/// Files of JSON lines that a run has, relative to it, by name.
std::vector<fs::path> line_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* part : {"", "samples", "prompts"}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder / part, none)) {
      if (entry.is_regular_file() && entry.path().extension() == ".jsonl") {
        files.push_back(entry.path().lexically_relative(folder));
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Of evaluations on other tasks, by name. Links are not followed: what they lead to belongs to
/// another run.
std::vector<fs::path> transfers(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const bool own = entry.symlink_status(none).type() == fs::file_type::directory;
    if (own && entry.path().filename().string().starts_with("on-")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<FileDamage> damaged_checkpoints(const fs::path& folder, std::size_t& sound) {
  std::vector<FileDamage> damaged;
  for (const CheckpointEntry& entry : list_checkpoints(folder / "checkpoints")) {
    try {
      read_checkpoint(entry.path);
      ++sound;
    } catch (const Error& error) {
      damaged.push_back(
          {entry.path.lexically_relative(folder), error.problem().what, ExitCode::kCheckpoint});
    }
  }
  return damaged;
}

/// What is wrong with results, in words: contents, or that they are of more samples than there are
/// lines after the head of the method's file, of those that there are. A file that was cut at the
/// end of a line has no other sign.
std::string damage_of_results(const fs::path& results,
                              const std::map<fs::path, std::size_t>& lines) {
  const std::string where = results.string();
  try {
    const auto rows =
        optional<std::vector<nlohmann::json>>(read_json_file(results), "methods", {}, where);
    for (const auto& row : rows) {
      const auto file = "samples/" + require<std::string>(row, "method", where) + ".jsonl";
      const auto samples = require<std::size_t>(row, "samples", where);
      const auto found = lines.find(file);
      if (found == lines.end() || found->second > samples) continue;
      return fmt::format("of {} samples, {} has {}", samples, file,
                         std::max<std::size_t>(found->second, 1) - 1);
    }
  } catch (const Error& error) {
    return error.problem().got.empty() ? error.problem().what : error.problem().got;
  }
  return "";
}

/// verify_run without evaluations on other tasks.
RunHealth verify_own(const fs::path& folder) {
  RunHealth health;
  health.damaged = damaged_checkpoints(folder, health.checkpoints);
  std::map<fs::path, std::size_t> lines_of;
  for (const fs::path& file : line_files(folder)) {
    const LinesHealth lines = look_at_lines(folder / file);
    lines_of[file] = lines.lines;
    health.lines += lines.lines - lines.damaged.size();
    for (const std::string& line : lines.damaged) {
      health.damaged.push_back({file, line, ExitCode::kInput});
    }
  }
  if (const fs::path results = RunPaths{folder}.results(); fs::exists(results)) {
    const std::string damage = damage_of_results(results, lines_of);
    if (!damage.empty()) health.damaged.push_back({results.filename(), damage, ExitCode::kInput});
  }
  return health;
}

}  // namespace

RunHealth verify_run(const fs::path& folder) {
  RunHealth health = verify_own(folder);
  for (const fs::path& transfer : transfers(folder)) {
    const RunHealth there = verify_run(transfer);
    health.lines += there.lines;
    for (FileDamage each : there.damaged) {
      each.file = transfer.filename() / each.file;
      health.damaged.push_back(std::move(each));
    }
  }
  return health;
}

std::vector<std::string> repair_lines(const fs::path& file, FirstLine first) {
  LinesHealth health = look_at_lines(file);
  if (health.first_damaged && first == FirstLine::kHead) {
    fs::remove(file);
    return {file.filename().string()};
  }
  if (!health.damaged.empty()) write_file_atomically(file, health.sound);
  for (std::string& line : health.damaged) line = file.filename().string() + " " + line;
  return health.damaged;
}

std::vector<std::string> repair_run(const fs::path& folder) {
  const RunPaths paths{folder};
  const auto lock = FileLock::take_or_refuse(
      paths.lock(),
      {.what = "run folder is in use", .where = folder.string(), .fix = "wait for that job"});
  std::vector<std::string> removed;
  for (const fs::path& transfer : transfers(folder)) {
    for (const std::string& each : repair_run(transfer)) {
      removed.push_back((transfer.filename() / each).string());
    }
  }
  for (const fs::path& file : line_files(folder)) {
    remove_abandoned((folder / file).parent_path());
    const bool samples = file.parent_path() == "samples";
    const auto lines =
        repair_lines(folder / file, samples ? FirstLine::kHead : FirstLine::kOneOfMany);
    removed.insert(removed.end(), lines.begin(), lines.end());
  }
  remove_leftovers(paths.checkpoints());
  // Lines are whole by now: what is left to find are checkpoints, and results of more samples.
  for (const FileDamage& damage : verify_own(folder).damaged) {
    fs::remove_all(folder / damage.file);
    removed.push_back(damage.file.string());
  }
  return removed;
}

}  // namespace softcot
