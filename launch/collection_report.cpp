#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "launch/folder_report.h"
#include "runtime/error.h"
#include "runtime/json_file.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

/// As deep as runs lie in what compare and sweep leave.
constexpr int kLevels = 3;

struct Member {
  fs::path path;
  FolderKind kind;
};

/// Folders of a known kind below this one, by name; what lies in them is theirs.
std::vector<Member> members_of(const fs::path& folder) {
  std::vector<Member> found;
  auto entry =
      fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    if (!entry->is_directory()) continue;  // A link is not followed, but is one where it leads.
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (hidden || entry->is_symlink()) {
      entry.disable_recursion_pending();
    } else if (const auto kind = kind_of(entry->path())) {
      found.push_back({entry->path(), *kind});
      entry.disable_recursion_pending();
    } else if (entry.depth() + 1 == kLevels) {
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
  report.add("title", require<std::string>(json, "title", where));
  std::map<std::string, std::size_t> counts;
  const auto cells = require<nlohmann::json>(json, "cells", where);
  for (const auto& cell : cells) ++counts[require<std::string>(cell, "status", where)];
  std::string text = std::to_string(cells.size());
  for (const auto& [status, count] : counts) text += fmt::format(", {} {}", count, status);
  report.add("cells", text);
}

}  // namespace

FolderReport report_collection(const fs::path& folder, InspectDepth depth) {
  const auto members = members_of(folder);
  if (members.empty()) {
    fail(ExitCode::kUsage,
         {.what = "not a folder that softcot knows",
          .where = folder.string(),
          .expected = "a model (config.json), cache (manifest.json), checkpoint (state.json) or "
                      "run (config.cfg), or a folder of such"});
  }
  FolderReport report{.kind = "folder", .facts = {}};
  if (fs::exists(folder / "sweep.json")) add_sweep(report, folder / "sweep.json");
  report.add("holds", counted(members));
  if (!depth.verify && !depth.check_finite) return report;

  std::string damage;
  std::vector<ExitCode> codes;
  for (const Member& member : members) {
    const std::string name = member.path.lexically_relative(folder).string();
    try {
      for (const auto& [fact, value] : member.kind.report(member.path, depth).facts) {
        if (fact == "removed") report.add(fact, name + "/" + value);
      }
    } catch (const Error& error) {
      const Problem& problem = error.problem();
      damage += fmt::format("{}{}: {}{}{}", damage.empty() ? "" : "; ", name, problem.what,
                            problem.got.empty() ? "" : ", ", problem.got);
      codes.push_back(error.code());
    }
  }
  if (codes.empty()) {
    report.add("verified", depth.verify ? "every byte of all of them" : "all weights are finite");
    return report;
  }
  fail(codes.front(),
       {.what = fmt::format("{} of {} folders are not sound", codes.size(), members.size()),
        .where = folder.string(),
        .got = damage,
        .fix = "softcot inspect --repair removes what can be made again"});
}

}  // namespace softcot
