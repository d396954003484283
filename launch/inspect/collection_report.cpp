#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "launch/inspect/folder_report.h"
#include "launch/run/set_aside.h"
#include "launch/sweep/sweep_record.h"
#include "runtime/error.h"
#include "runtime/json_file.h"
#include "runtime/log.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

struct Member {
  fs::path path;
  FolderKind kind;
};

/// Folders of a known kind below this one, by name; what lies in them is theirs. Links are not
/// followed, nor is what may not be read.
std::vector<Member> members_of(const fs::path& folder) {
  std::vector<Member> found;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                         error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->symlink_status(error).type() != fs::file_type::directory) continue;
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (hidden || is_set_aside(entry->path())) {
      entry.disable_recursion_pending();
    } else if (const auto kind = kind_of(entry->path())) {
      found.push_back({entry->path(), *kind});
      entry.disable_recursion_pending();
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Member& a, const Member& b) { return a.path < b.path; });
  return found;
}

/// "caches: 2, runs: 33".
std::string counted(const std::vector<Member>& members) {
  std::map<std::string, std::size_t> counts;
  for (const Member& member : members) ++counts[member.kind.plural];
  std::string text;
  for (const auto& [plural, count] : counts) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", plural, count);
  }
  return text;
}

/// What a sweep.json says of its cells.
void add_sweep(FolderReport& report, const fs::path& file) {
  report.kind = "sweep";
  const auto json = read_json_file(file);
  const std::string where = file.string();
  const auto schema = require<std::string>(json, "schema", where);
  if (schema != kSweepSchema) {
    fail(ExitCode::kInput, {.what = "sweep of another version",
                            .where = where,
                            .expected = kSweepSchema,
                            .got = schema});
  }
  report.add("title", require<std::string>(json, "title", where));
  std::map<std::string, std::size_t> counts;
  const auto cells = require<nlohmann::json>(json, "cells", where);
  for (const auto& cell : cells) ++counts[require<std::string>(cell, "status", where)];
  std::string text = std::to_string(cells.size());
  for (const auto& [status, count] : counts) text += fmt::format(", {} {}", count, status);
  report.add("cells", text);
}

/// What went wrong where, and the exit code for it. Each is told of at once, in a line of its own.
class Faults {
 public:
  /// Calls `look`; its failure is one of `name`.
  template <typename Look>
  void watch(const std::string& name, Look look) {
    try {
      look();
    } catch (const Error& error) {
      const Problem& problem = error.problem();
      add(name, problem.what + (problem.got.empty() ? "" : ", " + problem.got), error.code());
    } catch (const fs::filesystem_error& error) {
      add(name, error.code().message(), ExitCode::kInput);
    }
  }
  std::size_t count() const { return count_; }
  const std::string& first() const { return first_; }
  /// Of the first that is damaged, or if none is, of the first.
  ExitCode code() const { return code_; }

 private:
  void add(const std::string& name, const std::string& what, ExitCode code) {
    const std::string text = name + ": " + what;
    log_warning("not sound: {}", text);
    if (count_ == 0) first_ = text;
    if (count_++ == 0 || code_ == ExitCode::kUsage) code_ = code;
  }

  std::string first_;
  std::size_t count_ = 0;
  ExitCode code_ = ExitCode::kOk;
};

}  // namespace

FolderReport report_collection(const fs::path& folder, InspectDepth depth) {
  auto members = members_of(folder);
  if (members.empty()) {
    fail(ExitCode::kUsage,
         {.what = "not a folder that softcot knows",
          .where = folder.string(),
          .expected = "a model (config.json), cache (manifest.json), checkpoint (state.json) or "
                      "run (config.cfg, evaluate.cfg), or a folder of such"});
  }
  const bool looks = depth.verify || depth.check_finite;
  FolderReport report{.kind = "folder", .facts = {}};
  Faults faults;
  if (const auto file = folder / "sweep.json"; fs::exists(file)) {
    if (!looks) add_sweep(report, file);
    if (looks) faults.watch("sweep.json", [&] { add_sweep(report, file); });
  }
  report.add("holds", counted(members));
  if (!looks) return report;

  if (!depth.verify) {  // Numbers of models alone.
    std::erase_if(members, [](const Member& each) { return each.kind.report != report_model; });
  }
  for (const Member& member : members) {
    const std::string name = member.path.lexically_relative(folder).string();
    faults.watch(name, [&] {
      for (const std::string& each : report_as(member.kind, member.path, depth).removed()) {
        report.add(kRemoved, name + "/" + each);
      }
    });
  }
  if (const auto file = folder / "result.json"; depth.verify && fs::exists(file)) {
    faults.watch("result.json", [&] { read_json_file(file); });  // compare writes it anew.
  }
  if (faults.count() == 0) {
    report.add("verified", depth.verify
                               ? "every byte of all of them"
                               : fmt::format("numbers of {} models are finite", members.size()));
    return report;
  }
  for (const std::string& each : report.removed()) log_warning("removed: {}", each);
  fail(faults.code(),
       {.what = fmt::format("{} of {} are not sound", faults.count(), members.size()),
        .where = folder.string(),
        .got = faults.first(),
        .fix = depth.repair ? "this cannot be repaired here, or is in use"
                            : "softcot inspect --repair removes what can be made again"});
}

}  // namespace softcot
