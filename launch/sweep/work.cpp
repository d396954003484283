#include "launch/sweep/work.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "runtime/atomic_file.h"
#include "runtime/error.h"

namespace softcot {
namespace {

constexpr const char* kDone = "cell.done";
constexpr const char* kFailed = "cell.failed";
constexpr std::size_t kLongestMark = 64 << 10;  // bytes

/// The first two lines of a mark; nothing where there is none. Another process may take it away.
std::optional<std::pair<std::string, std::string>> read_mark(const std::filesystem::path& path) {
  std::ifstream file = open_regular(path);
  if (!file.is_open()) return std::nullopt;
  std::string bytes(kLongestMark, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  std::istringstream text(bytes);
  std::pair<std::string, std::string> lines;
  std::getline(text, lines.first);
  std::getline(text, lines.second);
  return lines;
}

}  // namespace

std::string config_text(const Settings& settings) {
  std::string text;
  std::string section;
  for (const auto& [name, value] : settings) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) {
      text = name + " = " + value + "\n" + text;
      continue;
    }
    if (name.substr(0, dot) != section) {
      section = name.substr(0, dot);
      text += "[" + section + "]\n";
    }
    text += name.substr(dot + 1) + " = " + value + "\n";
  }
  return text;
}

std::string WorkFailure::text() const {
  return fmt::format("failed: {} {}: {}", step, status, reason);
}

std::optional<WorkDone> read_done(const std::filesystem::path& folder) {
  const auto mark = read_mark(folder / kDone);
  if (!mark) return std::nullopt;
  WorkDone done{.hash = mark->first, .seconds = 0};
  std::istringstream rest(mark->second);
  std::string version;
  rest >> version >> done.seconds;
  return done;
}

void write_done(const std::filesystem::path& folder, const std::string& hash, double seconds) {
  write_file_atomically(folder / kDone,
                        fmt::format("{}\n{} {:.3f} seconds\n", hash, SOFTCOT_VERSION, seconds));
}

std::optional<WorkFailure> read_failure(const std::filesystem::path& folder) {
  const auto mark = read_mark(folder / kFailed);
  if (!mark) return std::nullopt;
  WorkFailure failure;
  failure.reason = mark->second;
  std::istringstream first(mark->first);
  first >> failure.step >> failure.status;
  if (failure.status == 0) failure.status = static_cast<int>(ExitCode::kInternal);
  return failure;
}

void write_failure(const std::filesystem::path& folder, const WorkFailure& failure) {
  write_file_atomically(folder / kFailed,
                        fmt::format("{} {}\n{}\n", failure.step, failure.status, failure.reason));
}

std::filesystem::path failure_mark(const std::filesystem::path& folder) { return folder / kFailed; }

void remove_marks(const std::filesystem::path& folder) {
  for (const char* name : {kFailed, kDone}) std::filesystem::remove(folder / name);
}

std::optional<std::string> why_missing(const std::filesystem::path& folder,
                                       const std::string& hash) {
  const auto done = read_done(folder);
  if (done && done->hash == hash) return std::nullopt;
  if (const auto failure = read_failure(folder)) {
    return failure->text();
  }
  return done ? "made under other settings" : "not run";
}

}  // namespace softcot
