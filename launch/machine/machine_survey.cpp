#include "launch/machine/machine_survey.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "runtime/processors.h"

namespace softcot {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

/// The text after "key :" in a file of such lines, e.g. /proc/meminfo; empty when it is not there.
std::string field_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    if (line.find_first_not_of(" \t", key.size()) != colon) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string each; words >> each;) {
    if (each == word) return true;
  }
  return false;
}

Finding survey_cores() {
  const std::string model = field_of("/proc/cpuinfo", "model name");
  const int cores = usable_processors();
  const int threads = at::get_num_threads();
  Finding finding{.topic = "processor",
                  .value = fmt::format("{}{}{} cores for this process, {} threads", model,
                                       model.empty() ? "" : ", ", cores, threads)};
  if (threads > cores) {
    finding.state = Finding::State::kProblem;
    finding.meaning = "more threads than cores: they wait for one another";
    finding.remedy =
        fmt::format("set OMP_NUM_THREADS={} (divided by the ranks per machine)", cores);
  }
  return finding;
}

Finding survey_instructions() {
  const std::string flags = field_of("/proc/cpuinfo", "flags");
  std::string names;
  for (const char* flag : {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}) {
    if (has_word(flags, flag)) names += fmt::format("{}{}", names.empty() ? "" : ", ", flag);
  }
  Finding finding{.topic = "vector instructions",
                  .value = fmt::format("{}; LibTorch uses {}", names.empty() ? "none known" : names,
                                       at::get_cpu_capability())};
  if (!has_word(flags, "avx512_bf16") && !has_word(flags, "amx_bf16")) {
    finding.state = Finding::State::kAbsent;
    finding.meaning = "bfloat16 is computed through float32: it saves memory here, but little time";
    finding.remedy = "a processor with AVX512-BF16 or AMX computes it directly";
  }
  return finding;
}

/// Bytes that a control group (a container, a batch job) leaves this process; infinite when none.
double memory_limit() {
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    double bytes = 0;
    if (file >> bytes && bytes < 1e15) return bytes;
  }
  return std::numeric_limits<double>::infinity();
}

Finding survey_memory() {
  const double total = std::atof(field_of("/proc/meminfo", "MemTotal").c_str()) * 1024;
  const double free = std::atof(field_of("/proc/meminfo", "MemAvailable").c_str()) * 1024;
  const double limit = memory_limit();
  Finding finding{.topic = "memory",
                  .value = fmt::format("{:.1f} GiB, {:.1f} GiB free", total / kGiB, free / kGiB)};
  if (limit < total) finding.value += fmt::format(", this job may use {:.1f} GiB", limit / kGiB);
  if (std::min(free, limit) < 3 * kGiB) {
    finding.state = Finding::State::kProblem;
    finding.meaning = "the quickstart with two ranks needs about 3 GiB";
    finding.remedy = "close other programs, or ask for more memory in the job";
  }
  return finding;
}

Finding survey_disk(const std::string& topic, const char* path, double wanted,
                    const std::string& purpose) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(path, error);
  if (error) {
    return {
        .topic = topic, .value = "not there", .state = Finding::State::kAbsent, .meaning = purpose};
  }
  const double free = static_cast<double>(space.available);
  Finding finding{.topic = topic, .value = fmt::format("{:.1f} GiB free", free / kGiB)};
  if (free < wanted) {
    finding.state = Finding::State::kProblem;
    finding.meaning = purpose;
    finding.remedy = "free some space, or work in a folder of another file system";
  }
  return finding;
}

std::string limit_text(rlim_t limit, double unit) {
  if (limit == RLIM_INFINITY) return "unlimited";
  return fmt::format("{:.0f}", static_cast<double>(limit) / unit);
}

Finding survey_open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  Finding finding{.topic = "open files",
                  .value = fmt::format("at most {}", limit_text(limit.rlim_cur, 1))};
  if (limit.rlim_cur < 1024) {
    finding.state = Finding::State::kProblem;
    finding.meaning = "large models and caches keep one file open per shard";
    finding.remedy = "ulimit -n 4096";
  }
  return finding;
}

Finding survey_limit(const std::string& topic, int resource, const std::string& meaning,
                     const std::string& remedy) {
  rlimit limit{};
  getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  Finding finding{.topic = topic};
  if (limit.rlim_cur == RLIM_INFINITY) {
    finding.value = "unlimited";
    return finding;
  }
  finding.value = fmt::format("at most {} MiB", limit_text(limit.rlim_cur, 1024.0 * 1024.0));
  finding.state = Finding::State::kProblem;
  finding.meaning = meaning;
  finding.remedy = remedy;
  return finding;
}

}  // namespace

std::vector<Finding> survey_machine() {
  return {survey_cores(),
          survey_instructions(),
          survey_memory(),
          survey_disk("disk, this folder", ".", 3 * kGiB,
                      "caches, checkpoints and reports of a run are written here"),
          survey_disk("shared memory", "/dev/shm", 0.06 * kGiB,
                      "the ranks of one machine exchange data in /dev/shm"),
          survey_open_files(),
          survey_limit("file size", RLIMIT_FSIZE, "files larger than this cannot be written",
                       "ulimit -f unlimited"),
          survey_limit("address space", RLIMIT_AS, "models are mapped into it whole",
                       "ulimit -v unlimited")};
}

}  // namespace softcot
