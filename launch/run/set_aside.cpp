#include "launch/run/set_aside.h"

#include <fmt/format.h>

#include <algorithm>

#include "evaluation/sample_log.h"
#include "launch/run/run_folder.h"
#include "runtime/atomic_file.h"
#include "runtime/error.h"
#include "runtime/log.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "set-aside-";

}  // namespace

const std::vector<fs::path>& evaluation_files() {
  static const std::vector<fs::path> files = {"results.json", "results.csv", "results.md",
                                              "evaluate.cfg", "samples",     "prompts"};
  return files;
}

const std::vector<fs::path>& training_files() {
  static const std::vector<fs::path> files = {"config.cfg", "metrics.jsonl", "checkpoints",
                                              "tensorboard", "work.jsonl"};
  return files;
}

SetAside::SetAside(fs::path run) : run_(std::move(run)) {}

void SetAside::take(const fs::path& file, const std::string& reason) {
  const fs::path from = run_ / file;
  if (!fs::exists(from) || (fs::is_directory(from) && fs::is_empty(from))) return;
  if (folder_.empty()) {
    fs::path free;
    for (int n = 1; free.empty() || fs::exists(free); ++n) {
      free = run_ / fmt::format("{}{}", kPrefix, n);
    }
    make_folder(free);
    folder_ = free;
    log_info("{}: {}; what was made before is kept in {}", run_.string(), reason, folder_.string());
  }
  make_folder((folder_ / file).parent_path());
  std::error_code error;
  fs::rename(from, folder_ / file, error);
  if (error) fail_write(error.value(), folder_ / file);
}

bool is_set_aside(const fs::path& folder) {
  return folder.filename().string().starts_with(kPrefix);
}

std::vector<fs::path> samples_set_aside(const fs::path& run, const SampleParts& parts) {
  std::vector<fs::path> found;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(run, unreadable)) {
    if (!is_set_aside(entry.path())) continue;
    const SampleParts aside{entry.path() / "samples", parts.method, parts.key};
    if (!fs::exists(aside.folder)) continue;
    std::vector<fs::path> files = aside.parts();
    if (fs::exists(aside.whole())) files.push_back(aside.whole());
    for (const fs::path& file : files) {
      if (read_sample_key(file) == parts.key) found.push_back(file);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace softcot
