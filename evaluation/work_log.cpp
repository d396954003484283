#include "evaluation/work_log.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/append_file.h"
#include "runtime/atomic_file.h"
#include "runtime/gpus.h"
#include "runtime/host_name.h"
#include "runtime/json_file.h"
#include "runtime/log.h"
#include "runtime/processors.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

std::string this_machine(const std::string& device) {
  std::string processor = "unknown processor";
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    processor = line.substr(colon + 2);
    break;
  }
  const auto gpus = device == "cuda" ? visible_gpus().gpus : std::vector<Gpu>{};
  return fmt::format("{}, {}, {} cores{}{}", host_name(), processor, usable_processors(),
                     gpus.empty() ? "" : ", ", gpus.empty() ? "" : gpus.front().model);
}

}  // namespace

void append_work(const std::filesystem::path& path, WorkRecord record) {
  const nlohmann::ordered_json line = {
      {"command", record.command},       {"method", record.method},
      {"seconds", record.seconds},       {"rows", record.rows},
      {"ranks", record.ranks},           {"tp", record.tp},
      {"new_tokens", record.new_tokens}, {"threads", record.threads},
      {"device", record.device},         {"machine", this_machine(record.device)}};
  if (append_to_file(path, seal_json(json_text(line)) + "\n")) return;
  log_warning("cannot write {}: the run goes on without it", path.string());
}

std::vector<WorkRecord> read_work(const std::filesystem::path& path) {
  std::vector<WorkRecord> records;
  std::ifstream file = open_regular(path);
  for (std::string text; std::getline(file, text);) {
    const auto line = parse_json_or_null(text);
    if (!line.is_object()) {
      log_warning("{}: a torn or damaged record of work is left out", path.string());
      continue;
    }
    const std::string where = path.string();
    try {
      records.push_back({.command = require<std::string>(line, "command", where),
                         .method = require<std::string>(line, "method", where),
                         .seconds = require<double>(line, "seconds", where),
                         .rows = require<std::int64_t>(line, "rows", where),
                         .new_tokens = require<std::int64_t>(line, "new_tokens", where),
                         .ranks = require<int>(line, "ranks", where),
                         .tp = require<int>(line, "tp", where),
                         .threads = require<int>(line, "threads", where),
                         .device = require<std::string>(line, "device", where),
                         .machine = require<std::string>(line, "machine", where)});
    } catch (const Error&) {
      log_warning("{}: a line that is no record of work is left out", path.string());
    }
  }
  return records;
}

}  // namespace softcot
