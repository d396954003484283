#include "checkpoints/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "runtime/error.h"
#include "runtime/hidden_name.h"

namespace softcot {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";

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
  return hidden_name(folder / checkpoint_name(step));
}

bool is_leftover(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string_view target = std::string_view(name).substr(0, name.find('.', 1));
  if (!target.starts_with(".") || !step_of_name(target.substr(1))) return false;
  const HiddenWriter writer = writer_of(path);
  return writer == HiddenWriter::kSelf || writer == HiddenWriter::kGone;
}

}  // namespace softcot
