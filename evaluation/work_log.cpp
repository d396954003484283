#include "evaluation/work_log.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "runtime/host_name.h"
#include "runtime/log.h"
#include "runtime/sealed_json.h"

namespace softcot {
namespace {

std::string this_machine() {
  std::string processor = "unknown processor";
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    processor = line.substr(colon + 2);
    break;
  }
  return fmt::format("{}, {}, {} cores", host_name(), processor,
                     std::thread::hardware_concurrency());
}

}  // namespace

void append_work(const std::filesystem::path& path, WorkRecord record) {
  const nlohmann::ordered_json line = {
      {"command", record.command},       {"method", record.method},
      {"seconds", record.seconds},       {"rows", record.rows},
      {"ranks", record.ranks},           {"tp", record.tp},
      {"new_tokens", record.new_tokens}, {"threads", record.threads},
      {"device", record.device},         {"machine", this_machine()}};
  std::ofstream out(path, std::ios::app);
  out << seal_json(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n"
      << std::flush;
  if (!out.good()) log_warning("cannot write {}: the run goes on without it", path.string());
}

std::vector<WorkRecord> read_work(const std::filesystem::path& path) {
  std::vector<WorkRecord> records;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) continue;
    if (json_seal(text) == JsonSeal::kBroken) {
      log_warning("{}: a damaged record of work is left out", path.string());
      continue;
    }
    try {
      records.push_back({.command = line.at("command").get<std::string>(),
                         .method = line.at("method").get<std::string>(),
                         .seconds = line.at("seconds").get<double>(),
                         .rows = line.at("rows").get<std::int64_t>(),
                         .new_tokens = line.at("new_tokens").get<std::int64_t>(),
                         .ranks = line.at("ranks").get<int>(),
                         .tp = line.at("tp").get<int>(),
                         .threads = line.at("threads").get<int>(),
                         .device = line.at("device").get<std::string>(),
                         .machine = line.at("machine").get<std::string>()});
    } catch (const nlohmann::json::exception&) {
      log_warning("{}: a line that is no record of work is left out", path.string());
    }
  }
  return records;
}

}  // namespace softcot
