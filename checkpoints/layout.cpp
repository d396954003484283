#include "checkpoints/layout.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <system_error>

#include "runtime/error.h"
#include "runtime/host_name.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kWorkSuffix = ".tmp";
constexpr auto kSilentFor = std::chrono::hours(1);

template <typename Number>
std::optional<Number> number_of(std::string_view digits) {
  Number number{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string checkpoint_name(std::uint64_t step) { return fmt::format("{}{:08}", kPrefix, step); }

std::optional<std::uint64_t> step_of_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto step = number_of<std::uint64_t>(name.substr(kPrefix.size()));
  if (!step || checkpoint_name(*step) != name) return std::nullopt;
  return step;
}

std::vector<CheckpointEntry> list_checkpoints(const fs::path& folder) {
  std::vector<CheckpointEntry> entries;
  std::error_code error;
  fs::directory_iterator files(folder, error);
  if (error == std::errc::no_such_file_or_directory) return entries;
  for (; !error && files != fs::directory_iterator(); files.increment(error)) {
    const auto step = step_of_name(files->path().filename().string());
    std::error_code ignored;
    if (!step || !files->is_directory(ignored)) continue;
    entries.push_back(
        {*step, files->path(), fs::is_regular_file(files->path() / kDoneMark, ignored)});
  }
  if (error) {
    fail(ExitCode::kCheckpoint, {.what = "checkpoint folder cannot be read",
                                 .where = folder.string(),
                                 .got = error.message()});
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.step < b.step; });
  return entries;
}

fs::path work_path(const fs::path& folder, std::uint64_t step) {
  return folder /
         fmt::format(".{}.{}-{}{}", checkpoint_name(step), host_name(), getpid(), kWorkSuffix);
}

bool is_leftover(const fs::path& path) {
  const std::string file_name = path.filename().string();
  std::string_view name = file_name;
  if (!name.starts_with("." + std::string(kPrefix)) || !name.ends_with(kWorkSuffix)) return false;
  name.remove_prefix(1);
  name.remove_suffix(kWorkSuffix.size());
  const std::size_t dot = name.find('.');
  const std::size_t dash = name.rfind('-');
  if (dot == std::string_view::npos || dash < dot || !step_of_name(name.substr(0, dot)))
    return false;
  const auto process = number_of<pid_t>(name.substr(dash + 1));
  if (!process || *process <= 0) return false;
  if (name.substr(dot + 1, dash - dot - 1) == host_name()) {
    return *process == getpid() || (kill(*process, 0) != 0 && errno == ESRCH);
  }
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  return !error && fs::file_time_type::clock::now() - written > kSilentFor;
}

}  // namespace softcot
